//! One run of one cell against one peer.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::calls::{Calls, Counter};
use super::cells::{BESIDE, Cell, Kind, WAITING_SIZE};
use super::peers::{DEAD, Next, Peer, Programs, Server, free_address};
use super::processes::ticks_a_second;
use super::results::Metric;
use super::scratch::Scratch;
use super::stop;

/// What a run gave.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) values: BTreeMap<Metric, f64>,
    /// What makes them less than they seem.
    pub(crate) notes: Vec<String>,
}

/// Where and how to run.
pub(crate) struct Bench<'a> {
    pub(crate) scratch: &'a Scratch,
    pub(crate) programs: &'a Programs,
    pub(crate) is_quick: bool,
}

impl Bench<'_> {
    /// Starts the peer afresh, warms it up and measures it. Calls are counted when asked for, behind it.
    pub(crate) fn run(
        &self,
        cell: &Cell,
        peer: Peer,
        counts_calls: bool,
    ) -> Result<Outcome, String> {
        match cell.kind {
            Kind::Idle => self.idle(cell, peer),
            Kind::Deferred => self.deferred(cell, peer),
            _ => self.mail(cell, peer, counts_calls),
        }
    }

    fn mail(&self, cell: &Cell, peer: Peer, counts_calls: bool) -> Result<Outcome, String> {
        let folder = self.scratch.fresh()?;
        let (warm_up, messages) = (cell.warm_up(), cell.messages(self.is_quick));
        let counted = if counts_calls {
            cell.counted(self.is_quick)
        } else {
            0
        };
        let mut sink = match cell.kind {
            Kind::Relay => Some(Sink::start(self.programs, &[warm_up, messages, counted])?),
            _ => None,
        };
        let next = sink.as_ref().map_or(Next::Held, |sink| Next::Sink(sink.at));
        let server = peer.start(&folder, self.programs, next)?;
        self.generate(&server, &cell.options(0, warm_up))?;
        sink.as_mut().map(Sink::stage).transpose()?;

        let ticks = ticks_a_second();
        let before = server.family().cpu_seconds(ticks);
        let sent = self.generate(&server, &cell.options(warm_up, messages))?;
        let got = sink.as_mut().map(Sink::stage).transpose()?;
        let family = server.family();
        let cpu = family.cpu_seconds(ticks) - before;
        let mut outcome = outcome(messages, &sent, got.as_ref(), cpu);
        outcome.add(Metric::PeakMemory, family.memory(true) as f64 / 1_048_576.0);

        if counts_calls {
            let counter = Counter::start(family.processes(), &folder);
            let mut load = || {
                self.generate(&server, &cell.options(warm_up + messages, counted))?;
                sink.as_mut().map(Sink::stage).transpose()
            };
            match counter.and_then(|counter| load().and_then(|_| counter.end())) {
                Ok(calls) => outcome.add_calls(calls, counted),
                Err(e) => outcome.notes.push(format!("calls are not counted: {e}")),
            }
        }
        Ok(outcome)
    }

    fn generate(&self, server: &Server, options: &[String]) -> Result<Value, String> {
        let mut load = Command::new(&self.programs.load);
        load.args(["generate", "--to", &server.at.to_string()]);
        load.args(options);
        let output = load.output().map_err(|e| format!("{load:?}: {e}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        match output.status.success() {
            true => serde_json::from_str(&said).map_err(|e| format!("load: {e}: {said}")),
            false => Err(format!("not all was accepted: {said}")),
        }
    }

    fn idle(&self, cell: &Cell, peer: Peer) -> Result<Outcome, String> {
        let folder = self.scratch.fresh()?;
        let server = peer.start(&folder, self.programs, Next::Held)?;
        // Postfix has a process for each, and they are all alike.
        let sessions = match peer {
            Peer::Postfix => 200,
            _ => cell.messages(self.is_quick),
        };
        drop(Held::start(self.programs, &server, 10)?);
        thread::sleep(Duration::from_millis(500));
        let before = server.family().memory(false);
        let held = Held::start(self.programs, &server, sessions)?;
        let memory = server.family().memory(false).saturating_sub(before);
        let mut outcome = Outcome::default();
        outcome.add(Metric::IdleMemory, memory as f64 / 1024.0 / sessions as f64);
        outcome.add_times(
            &held.said["greeting_microseconds"],
            Metric::GreetingP50,
            Metric::GreetingP99,
        );
        outcome.notes.push(format!("{sessions} sessions"));
        Ok(outcome)
    }

    /// Fresh mail is relayed, then as much beside many messages that wait, which the server is then
    /// started again with.
    fn deferred(&self, cell: &Cell, peer: Peer) -> Result<Outcome, String> {
        let folder = self.scratch.fresh()?;
        let (warm_up, waiting) = (cell.warm_up(), cell.messages(self.is_quick));
        let mut sink = Sink::start(self.programs, &[warm_up, BESIDE, BESIDE])?;
        let next = Next::SinkOrDead(sink.at);
        let server = peer.start(&folder, self.programs, next)?;
        let mut first = 0;
        let mut relay = |messages| {
            let sent = self.generate(&server, &cell.options(first, messages))?;
            first += messages;
            let got = sink.stage()?;
            let outcome = outcome(messages, &sent, Some(&got), 0.0);
            // `outcome` has a rate whatever was said.
            Ok::<_, String>(outcome.values[&Metric::Rate])
        };
        relay(warm_up)?;
        let alone = relay(BESIDE)?;
        let before = server.family().memory(false);
        let mut options = cell.options(1 << 40, waiting);
        options.push(format!("--recipient=nobody@{DEAD}"));
        options.push(format!("--size={WAITING_SIZE}"));
        options.retain(|option| *option != format!("--size={}", cell.size));
        self.generate(&server, &options)?;
        // What was fresh in memory has its time, and the site its first attempts.
        thread::sleep(Duration::from_secs(5));
        let memory = server.family().memory(false).saturating_sub(before);
        let beside = relay(BESIDE)?;
        drop(server);

        let began = Instant::now();
        let started = peer.start(&folder, self.programs, next)?;
        greeted(&started)?;
        let start_up = began.elapsed();
        drop(started);
        let mut outcome = Outcome::default();
        outcome.add(Metric::WaitingMemory, memory as f64 / waiting as f64);
        outcome.add(Metric::StartUp, start_up.as_secs_f64());
        outcome.add(Metric::SlowDown, (1.0 - beside / alone) * 100.0);
        outcome.notes.push(format!("{waiting} messages wait"));
        Ok(outcome)
    }
}

/// Waits for a greeting: a server may listen before it has looked through its queue.
fn greeted(server: &Server) -> Result<(), String> {
    let greeting = || {
        let mut code = [0; 3];
        TcpStream::connect(server.at)?.read_exact(&mut code)?;
        io::Result::Ok(code)
    };
    match greeting() {
        Ok(code) if &code == b"220" => Ok(()),
        other => Err(format!("it doesn't greet: {other:?}")),
    }
}

/// What the generator and the sink said, as numbers.
fn outcome(messages: u64, sent: &Value, got: Option<&Value>, cpu: f64) -> Outcome {
    let mut outcome = Outcome::default();
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let seconds = match got {
        // End to end: from the first MAIL to the last message that arrived.
        Some(got) => number(&got["ended"]) - number(&sent["began"]),
        None => number(&sent["seconds"]),
    };
    let messages = messages as f64;
    outcome.add(Metric::Rate, messages / seconds);
    outcome.add(Metric::Cpu, cpu * 1000.0 / messages);
    outcome.add_times(&sent["microseconds"], Metric::P50, Metric::P99);
    let parts = [("generator", Some(sent)), ("sink", got)];
    for (name, part) in parts {
        if part.is_some_and(|part| part["was_the_limit"] == true) {
            outcome.notes.push(format!("the {name} was the limit"));
        }
    }
    if let Some(got) = got
        && got["messages"] != got["numbers"]
    {
        outcome.notes.push(format!("messages came twice: {got}"));
    }
    outcome
}

impl Outcome {
    fn add(&mut self, metric: Metric, value: f64) {
        self.values.insert(metric, value);
    }

    /// Adds times, which come in microseconds, in milliseconds.
    fn add_times(&mut self, times: &Value, p50: Metric, p99: Metric) {
        for (metric, name) in [(p50, "p50"), (p99, "p99")] {
            if let Some(time) = times[name].as_f64() {
                self.add(metric, time / 1000.0);
            }
        }
    }

    fn add_calls(&mut self, calls: Calls, messages: u64) {
        self.add(Metric::Calls, calls.all as f64 / messages as f64);
        self.add(Metric::Flushes, calls.flushes as f64 / messages as f64);
    }
}

/// The next hop.
struct Sink {
    child: Child,
    said: BufReader<ChildStdout>,
    at: std::net::SocketAddr,
}

impl Sink {
    /// One that says after each of so many messages how they came.
    fn start(programs: &Programs, stages: &[u64]) -> Result<Sink, String> {
        let at = free_address()?;
        let stages: Vec<String> = stages.iter().map(u64::to_string).collect();
        let mut sink = Command::new(&programs.load);
        sink.args([
            "sink",
            "--listen",
            &at.to_string(),
            "--messages",
            &stages.join(","),
            // Longer than it may take to load what waits between two stages.
            "--patience",
            "900",
        ]);
        let mut child = sink
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        let said = BufReader::new(child.stdout.take().ok_or("the sink has no output")?);
        Ok(Sink { child, said, at })
    }

    fn stage(&mut self) -> Result<Value, String> {
        next_line(&mut self.said, "the sink")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        stop(&mut self.child, "TERM");
    }
}

/// Sessions that are held until this is dropped.
struct Held {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Value,
}

impl Held {
    fn start(programs: &Programs, server: &Server, sessions: u64) -> Result<Held, String> {
        let mut hold = Command::new(&programs.load);
        hold.args(["hold", "--to", &server.at.to_string()]);
        hold.args(["--sessions", &sessions.to_string()]);
        let hold = hold.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = hold.map_err(|e| e.to_string())?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("hold has no output")?;
        let said = next_line(&mut BufReader::new(stdout), "hold");
        let mut held = Held {
            child,
            stdin,
            said: Value::Null,
        };
        held.said = said?;
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // That ends it.
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

fn next_line(from: &mut BufReader<impl Read>, who: &str) -> Result<Value, String> {
    let mut line = String::new();
    from.read_line(&mut line)
        .map_err(|e| format!("{who}: {e}"))?;
    serde_json::from_str(&line).map_err(|e| format!("{who} ended early: {e}: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_said_becomes_numbers_and_notes() {
        let sent = json!({
            "began": 100.0, "seconds": 2.0, "was_the_limit": true,
            "microseconds": { "p50": 1500, "p99": 9000 },
        });
        let accepted = outcome(1000, &sent, None, 0.25);
        let value = |outcome: &Outcome, metric| outcome.values.get(&metric).copied();
        assert_eq!(value(&accepted, Metric::Rate), Some(500.0));
        assert_eq!(value(&accepted, Metric::Cpu), Some(0.25));
        assert_eq!(value(&accepted, Metric::P99), Some(9.0));
        assert_eq!(accepted.notes, ["the generator was the limit"]);
        let got = json!({ "ended": 104.0, "was_the_limit": false, "messages": 5, "numbers": 4 });
        let relayed = outcome(1000, &sent, Some(&got), 0.25);
        assert_eq!(value(&relayed, Metric::Rate), Some(250.0));
        assert!(relayed.notes[1].starts_with("messages came twice"));
    }
}
