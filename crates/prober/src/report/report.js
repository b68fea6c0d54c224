"use strict";
(() => {
  const nav = document.querySelector("nav");
  const boxes = [...nav.querySelectorAll("[type=checkbox]")];
  const search = nav.querySelector("[type=search]");
  const findings = [...document.querySelectorAll("details")];
  const show = () => {
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const finding of findings) {
      const text = finding.textContent.toLowerCase();
      finding.hidden = !wanted.has(finding.className) || !words.every((word) => text.includes(word));
    }
    for (const section of document.querySelectorAll("section")) {
      section.hidden = !section.querySelector("details:not([hidden])");
    }
  };
  // Where all is well, that is what there is to see.
  const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  if (!findings.some((finding) => chosen.has(finding.className))) {
    boxes.forEach((box) => { box.checked = true; });
  }
  nav.hidden = false;
  nav.addEventListener("input", show);
  show();
})();
