//! What many worlds came to, as tables in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chronolease_sim::controls::Control;
use chronolease_sim::oracle::{Counts, Tightness};
use chronolease_sim::world::{Outcome, Scene};

use super::Arguments;

/// The sum over worlds.
#[derive(Default)]
pub(crate) struct Sum {
    counts: Counts,
    tightness: Tightness,
    worlds: BTreeMap<Scene, (u64, u64)>,
    broken: Vec<String>,
    controls: String,
    missed: usize,
}

impl Sum {
    /// One more world.
    pub(crate) fn world(&mut self, seed: u64, scene: Scene, outcome: &Outcome) {
        let oracle = &outcome.oracle;
        self.counts.add(&oracle.counts);
        self.tightness = self.tightness.worse(oracle.tightness);
        let (worlds, tokens) = self.worlds.entry(scene).or_default();
        *worlds += 1;
        *tokens += oracle.counts.tokens;
        self.broken.extend(oracle.violations.iter().map(|v| format!("seed {seed}: {v:?}")));
    }

    /// Both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.counts.add(&other.counts);
        self.tightness = self.tightness.worse(other.tightness);
        for (scene, (worlds, tokens)) in other.worlds {
            let mine = self.worlds.entry(scene).or_default();
            *mine = (mine.0 + worlds, mine.1 + tokens);
        }
        self.broken.extend(other.broken);
        self
    }

    /// Runs a broken core at its seed.
    pub(crate) fn control(&mut self, control: &Control) {
        let found = control.is_found_out(control.seed);
        self.missed += usize::from(!found);
        let left_out: Vec<String> = control.left_out.iter().map(|c| format!("{c:?}")).collect();
        let slips = control.slips.iter().map(|slip| format!("{slip:?}"));
        let what: Vec<String> = left_out.into_iter().chain(slips).collect();
        let _ = writeln!(
            self.controls,
            "| {} | {} | `{}` | {} | {} | {} |",
            control.name,
            what.join(", "),
            control.scene.name(),
            control.seed,
            control.found_by,
            if found { "found out; sound: clean" } else { "**MISSED**" }
        );
    }

    /// How much went wrong.
    pub(crate) fn failures(&self) -> usize {
        self.broken.len() + self.missed
    }

    /// All of it.
    pub(crate) fn tables(&self, arguments: &Arguments) -> String {
        let Counts { requests, tokens, rejections, grants, confirmations, .. } = &self.counts;
        let faults: u64 = self.counts.faults.values().sum();
        let mut text = format!(
            "Together {} seeds from {} on: {tokens} tokens of {requests} requests, {rejections} \
             rejections, {grants} leases, {confirmations} confirmations, {faults} faults, {} \
             violations\n\n",
            arguments.seeds,
            arguments.seed,
            self.broken.len()
        );
        for broken in &self.broken {
            let _ = writeln!(text, "- **{broken}**");
        }
        let rows = |rows: &BTreeMap<&str, u64>| -> String {
            rows.iter().map(|(label, count)| format!("| {label} | {count} |\n")).collect()
        };
        let worlds: String = self
            .worlds
            .iter()
            .map(|(scene, (worlds, tokens))| {
                format!("| `{}` | {worlds} | {tokens} |\n", scene.name())
            })
            .collect();
        let _ = write!(
            text,
            "| kind of world | worlds | tokens |\n|---|---|---|\n{worlds}\n\
             | fault | times |\n|---|---|\n{}\n\
             | a lease ended by | times |\n|---|---|\n{}\n{}",
            rows(&self.counts.faults),
            rows(&self.counts.endings),
            self.nearness(),
        );
        if !self.controls.is_empty() {
            let _ = write!(
                text,
                "\n## Broken cores\n\n| broken core | leaves out | world | seed | found by | result |\n\
                 |---|---|---|---|---|---|\n{}",
                self.controls
            );
        }
        text
    }

    fn nearness(&self) -> String {
        let Tightness { distance, reading, reading_b, half_width, slack, confirmation_age } =
            self.tightness;
        let slack = slack.map_or_else(|| "-".to_owned(), millis);
        format!(
            "| how near the limits | worst | limit |\n|---|---|---|\n\
             | genTime from every instant between request and release (P1) | {} | 500 ms |\n\
             | genTime from UTC at the reading, where box A's clocks do not lie alike (P2) | {} | 500 ms |\n\
             | the monitor's m from UTC | {} | e |\n\
             | e of a confirmation | {} | 60 ms |\n\
             | left between the genTimes of a confirmed batch and A | {slack} | 0 ms |\n\
             | from the arrival of a confirmation to the release | {} | 3000 ms |\n",
            millis(distance),
            millis(reading),
            millis(reading_b),
            millis(half_width),
            millis(confirmation_age),
        )
    }
}

/// Nanoseconds as milliseconds with three digits.
fn millis(ns: i64) -> String {
    let micros = ns / 1_000;
    format!("{}.{:03} ms", micros / 1_000, (micros % 1_000).abs())
}
