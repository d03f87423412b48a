//! A run while it runs: on a terminal a few lines that are written anew, elsewhere a line for each event.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use wharf_engine::{Action, Event, Plan, StepNumber};

use super::printer::Printer;
use super::value::duration;

/// How many running steps a terminal shows.
const LINES: usize = 8;
/// Elsewhere, a step that goes on waiting says so this often.
const REMIND: Duration = Duration::from_secs(60);

/// Shows a run's events.
pub struct Progress<'a> {
    printer: &'a Printer,
    state: RefCell<State>,
}

struct State {
    plan: Option<Plan>,
    begun: Instant,
    running: BTreeMap<StepNumber, Running>,
    finished: usize,
    /// Lines of the live region that are on the screen.
    drawn: usize,
}

struct Running {
    since: Instant,
    /// What a terminal shows behind it.
    note: String,
    /// What it waits for, or why it is tried again, and when that was said last.
    why: String,
    said: Instant,
}

impl Running {
    /// Whether this is to be said, where each line stays: it is new, or was said some time ago.
    fn is_news(&mut self, why: &str, now: Instant) -> bool {
        let news = self.why != why || now - self.said >= REMIND;
        if news {
            why.clone_into(&mut self.why);
            self.said = now;
        }
        news
    }
}

impl<'a> Progress<'a> {
    /// Progress of runs to come.
    #[must_use]
    pub fn new(printer: &'a Printer) -> Self {
        let state = State { plan: None, begun: Instant::now(), running: BTreeMap::new(), finished: 0, drawn: 0 };
        Self { printer, state: RefCell::new(state) }
    }

    /// A run of this plan begins.
    pub fn plan(&self, plan: &Plan) {
        let mut state = self.state.borrow_mut();
        *state = State {
            plan: Some(plan.clone()),
            begun: Instant::now(),
            running: BTreeMap::new(),
            finished: 0,
            drawn: state.drawn,
        };
    }

    /// Something happened.
    pub fn event(&self, event: &Event) {
        let mut state = self.state.borrow_mut();
        if self.printer.json {
            if let Some(plan) = &state.plan {
                self.printer.line(super::json::event(plan, event));
            }
            return;
        }
        let line = state.take(event, self.printer);
        if self.printer.quiet {
            return;
        }
        let mut text = if self.printer.live { state.erase() } else { String::new() };
        if let Some(line) = line {
            text.push_str(&line);
            text.push('\n');
        }
        if self.printer.live {
            text.push_str(&state.draw(self.printer));
        }
        self.printer.put(&text);
    }

    /// Time passed: the live lines are written anew.
    pub fn tick(&self) {
        if self.printer.live && !self.printer.quiet {
            let mut state = self.state.borrow_mut();
            let text = state.erase() + &state.draw(self.printer);
            self.printer.put(&text);
        }
    }

    /// The run is over: the live lines go.
    pub fn end(&self) {
        let mut state = self.state.borrow_mut();
        state.running.clear();
        if self.printer.live && !self.printer.quiet {
            let text = state.erase();
            self.printer.put(&text);
        }
    }
}

impl State {
    /// Takes an event in; answers the line that stays, if any.
    fn take(&mut self, event: &Event, printer: &Printer) -> Option<String> {
        let paint = printer.err;
        let now = Instant::now();
        match event {
            Event::StepStarted { step } => {
                self.running.insert(*step, Running { since: now, note: String::new(), why: String::new(), said: now });
                (!printer.live).then(|| format!("  {} {}", paint.dim("…"), self.doing(*step)))
            }
            Event::StepWaiting { step, since, what } => {
                let running = self.running.get_mut(step)?;
                running.note.clone_from(what);
                let news = running.is_news(what, now);
                let line = || format!("  {} {}: {what} ({})", paint.dim("…"), self.doing(*step), duration(*since));
                (news && !printer.live).then(line)
            }
            Event::StepRetried { step, message, after, .. } => {
                let again = format!("again in {}: {message}", duration(*after));
                let running = self.running.get_mut(step)?;
                running.note.clone_from(&again);
                let news = running.is_news(message, now) && !printer.live;
                let line = || format!("  {} {}: {}", paint.yellow("↻"), self.doing(*step), paint.dim(again));
                (news || printer.verbose).then(line)
            }
            Event::StepDone { step, took } => {
                self.leave(*step);
                Some(format!("  {} {} {}", paint.green("✓"), self.doing(*step), paint.dim(duration(*took))))
            }
            Event::StepFailed { step, failure } => {
                self.leave(*step);
                let hint = failure.hint.as_ref().map(|hint| format!("\n    {} {hint}", paint.cyan("hint:")));
                let (doing, message) = (self.doing(*step), failure.message.replace('\n', "\n    "));
                Some(format!("  {} {doing}\n    {message}{}", paint.red("✗"), hint.unwrap_or_default()))
            }
            Event::StepSkipped { step, because_of } => {
                self.leave(*step);
                let cause = self.name(*because_of);
                Some(format!("  {} {} {}", paint.yellow("⊘"), self.doing(*step), paint.dim(format!("needs {cause}"))))
            }
        }
    }

    fn leave(&mut self, step: StepNumber) {
        self.running.remove(&step);
        self.finished += 1;
    }

    fn total(&self) -> usize {
        self.plan.as_ref().map_or(0, |plan| plan.steps.len())
    }

    fn name(&self, number: StepNumber) -> String {
        let step = self.plan.as_ref().and_then(|plan| plan.steps.iter().find(|step| step.number == number));
        step.map_or_else(|| format!("step {number}"), |step| step.id.to_string())
    }

    fn doing(&self, number: StepNumber) -> String {
        let step = self.plan.as_ref().and_then(|plan| plan.steps.iter().find(|step| step.number == number));
        let verb = step.map_or("do", |step| match &step.action {
            Action::Create { .. } => "create",
            Action::Update { .. } => "update",
            Action::Adopt { .. } => "adopt",
            Action::Delete { .. } => "delete",
            Action::Wait { .. } => "wait for",
        });
        format!("{verb} {}", self.name(number))
    }

    /// Takes the live lines off the screen.
    fn erase(&mut self) -> String {
        let lines = std::mem::take(&mut self.drawn);
        if lines == 0 { String::new() } else { format!("\x1b[{lines}A\r\x1b[J") }
    }

    /// The live lines: the longest running steps, and how far the run is.
    fn draw(&mut self, printer: &Printer) -> String {
        if self.running.is_empty() {
            return String::new();
        }
        let (paint, now) = (printer.err, Instant::now());
        let mut running: Vec<_> = self.running.iter().collect();
        running.sort_by_key(|(number, running)| (running.since, **number));
        let mut lines = Vec::new();
        for (number, running) in running.iter().take(LINES) {
            let time = duration(now - running.since);
            lines.push(cut(&format!("  {} {time}  {}", self.doing(**number), running.note), printer.width));
        }
        if running.len() > LINES {
            lines.push(format!("  and {} more", running.len() - LINES));
        }
        let total = format!("{} of {} · {}", self.finished, self.total(), duration(now - self.begun));
        self.drawn = lines.len() + 1;
        lines.iter().map(|line| format!("{}\n", paint.dim(line))).collect::<String>()
            + &format!("{}\n", paint.bold(total))
    }
}

fn cut(line: &str, width: usize) -> String {
    let line = line.replace('\n', " ");
    if line.chars().count() <= width { line } else { line.chars().take(width - 1).collect::<String>() + "…" }
}
