//! Routes by number: each name is kept once, for as long as an entry of the index has it.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The names of routes that entries have.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// Where each stands in `names`, which never gets shorter.
    numbers: BTreeMap<Arc<str>, u32>,
    names: Vec<(Arc<str>, u32)>,
    free: Vec<u32>,
}

impl Routes {
    /// The name behind a number that an entry has.
    pub(crate) fn name(&self, route: u32) -> &str {
        &self.names[route as usize].0
    }

    /// The number of a name, which one more entry has.
    pub(crate) fn join(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            self.names[*number as usize].1 += 1;
            return *number;
        }
        let name: Arc<str> = name.into();
        let slot = (Arc::clone(&name), 1);
        let number = match self.free.pop() {
            Some(number) => {
                self.names[number as usize] = slot;
                number
            }
            None => {
                self.names.push(slot);
                // There are fewer names than entries, and fewer of those than 2^32.
                (self.names.len() - 1) as u32
            }
        };
        self.numbers.insert(name, number);
        number
    }

    /// One entry less has it; without any its number is free for another name.
    pub(crate) fn leave(&mut self, route: u32) {
        let (name, uses) = &mut self.names[route as usize];
        *uses -= 1;
        if *uses == 0 {
            self.numbers.remove(name);
            *name = "".into();
            self.free.push(route);
        }
    }
}
