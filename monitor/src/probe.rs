//! `sources probe`: every source asked once by both NTP clients, before a box is commissioned.

use std::fmt::Write as _;

use chronolease_core::interval::Interval;
use chronolease_core::time::Ppb;
use chronolease_net::daemon::DaemonError;
use chronolease_net::observe::Metrics;
use chronolease_sys::Clocks;
use tokio::sync::watch;

use crate::config::Config;
use crate::core::ntp::PIVOT;
use crate::core::sources::PollResult;
use crate::io::addresses::Addresses;
use crate::io::metrics::NtsMetrics;
use crate::io::ntp::Target;
use crate::io::nts::Setup;
use crate::io::second::{Asked, Checks};
use crate::trust;

/// One line of the table, without what is needed for the verdict alone.
#[derive(Debug)]
struct Row {
    cells: [String; 9],
    is_good: bool,
}

const HEADER: [&str; 9] = [
    "source",
    "laboratory",
    "address",
    "offset",
    "rsntp",
    "verdict",
    "stratum",
    "delay",
    "root distance",
];

/// Asks every configured source and prints the table.
///
/// # Errors
/// [`DaemonError::Failed`] when a source gives no sample, or the two clients disagree about it.
pub fn run(config: &Config) -> Result<(), DaemonError> {
    let clocks = Clocks::open().map_err(DaemonError::failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::failed)?;
    let rho = config.rules().map(|rules| rules.limits.rho).max().unwrap_or(Ppb::from_ppm(100));
    let checks = Checks { clocks, pivot: PIVOT, rho };
    let setups = setups(config)?;
    let rows = runtime.block_on(ask_all(config, &checks, &setups));
    print!("{}", table(&rows));
    let bad = rows.iter().filter(|row| !row.is_good).count();
    if bad == 0 {
        return Ok(());
    }
    Err(DaemonError::failed(format!("{bad} of {} sources cannot be relied on", rows.len())))
}

/// What it takes to ask the sources under NTS. Nobody knows the date yet.
fn setups(config: &Config) -> Result<Vec<Option<Setup>>, DaemonError> {
    let metrics = Metrics::new("probe").and_then(|metrics| NtsMetrics::new(&metrics));
    let metrics = metrics.map_err(DaemonError::failed)?;
    let (_, dates) = watch::channel(None);
    let setup = |trust| Setup::new(trust, dates.clone(), metrics.clone());
    let trusts = trust::of_sources(config)?;
    Ok(trusts.into_iter().map(|trust| trust.map(setup)).collect())
}

async fn ask_all(config: &Config, checks: &Checks, setups: &[Option<Setup>]) -> Vec<Row> {
    let asking: Vec<_> = config
        .sources
        .targets(|place| setups[place].clone())
        .zip(&config.sources.servers)
        .map(|(target, server)| {
            let (checks, laboratory) = (checks.clone(), server.laboratory.clone());
            tokio::spawn(async move {
                let asked = checks.ask(&target, &mut Addresses::default()).await;
                Row::of(&target, laboratory, &asked)
            })
        })
        .collect();
    let mut rows = Vec::new();
    for asked in asking {
        // A task that is neither aborted nor panics ends with its row.
        rows.extend(asked.await.ok());
    }
    rows
}

impl Row {
    fn of(target: &Target, laboratory: String, asked: &Asked) -> Self {
        let none = || "-".to_owned();
        let (verdict, is_good) = match (&asked.ours, &asked.theirs, asked.comparison) {
            (PollResult::Sample(sample), ..) if sample.authenticated => {
                ("authenticated".to_owned(), true)
            }
            (_, _, Some(comparison)) if comparison.agree() => ("agree".to_owned(), true),
            (_, _, Some(_)) => ("DISAGREE".to_owned(), false),
            (PollResult::Sample(_), Err(why), None) => (format!("rsntp: {why}"), false),
            (PollResult::Refused(why), ..) => (why.to_string(), false),
            (PollResult::NoAnswer, ..) => ("no answer".to_owned(), false),
            (PollResult::Failed(why), ..) => (why.clone(), false),
            (PollResult::Sample(_), Ok(_), None) => ("not compared".to_owned(), false),
        };
        let [stratum, delay, root] = match &asked.ours {
            PollResult::Sample(sample) => [
                sample.stratum.to_string(),
                sample.delay.to_string(),
                sample.root_distance.to_string(),
            ],
            _ => [none(), none(), none()],
        };
        let theirs = asked.theirs.as_ref().ok().map(|second| second.offset.to_string());
        let cells = [
            target.name.clone(),
            laboratory,
            asked.server.map_or_else(|| target.address.clone(), |server| server.to_string()),
            asked.comparison.map_or_else(none, |comparison| offset(comparison.ours)),
            theirs.unwrap_or_else(none),
            verdict,
            stratum,
            delay,
            root,
        ];
        Self { cells, is_good }
    }
}

/// The middle and the half-width, in a person's terms.
fn offset(interval: Interval) -> String {
    format!("{} +-{}", interval.midpoint(), interval.half_width())
}

fn table(rows: &[Row]) -> String {
    let header = HEADER.map(str::to_owned);
    let lines: Vec<&[String; 9]> =
        std::iter::once(&header).chain(rows.iter().map(|row| &row.cells)).collect();
    let width =
        |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    let mut text = String::new();
    for cells in lines {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
