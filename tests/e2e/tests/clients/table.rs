//! The table in the book.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::pki::SUITES;
use crate::programs::{Client, Verdict, WRONG};

const BEGIN: &str = "<!-- made by the test: begin -->\n";
const END: &str = "<!-- made by the test: end -->";

/// Set to write the table instead of comparing it.
const WRITE: &str = "CHRONOLEASE_WRITE_DOCS";

/// Panics unless the book has this very table.
pub(crate) fn compare(book: &Path, verdicts: &[(&Client, Vec<Verdict>)]) {
    let text = fs::read_to_string(book).unwrap_or_else(|e| panic!("{}: {e}", book.display()));
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(END)?;
        Some((before, table, after))
    });
    let (before, there, after) = parts.expect("the book has a place for the table");
    let found = table(verdicts);
    if std::env::var_os(WRITE).is_some() {
        fs::write(book, format!("{before}{BEGIN}{found}{END}{after}")).expect("it can be written");
    } else {
        assert_eq!(there, found, "docs/clients.md is outdated: {WRITE}=1 makes it anew");
    }
}

fn table(verdicts: &[(&Client, Vec<Verdict>)]) -> String {
    let mut table = String::from("| client |");
    let write = "a string takes everything";
    for suite in &SUITES {
        write!(table, " {} |", suite.name).expect(write);
    }
    writeln!(table, " refuses a wrong token |\n|---|{}---|", "---|".repeat(SUITES.len()))
        .expect(write);
    for (client, verdicts) in verdicts {
        write!(table, "| {} |", client.name).expect(write);
        for verdict in verdicts {
            write!(table, " {} |", if verdict.accepts { "yes" } else { "no" }).expect(write);
        }
        writeln!(table, " {} |", refuses(client.with, verdicts)).expect(write);
    }
    table
}

/// Whether it refuses what is wrong of every token that it accepts, and how if not by itself alone.
fn refuses(with: Option<&str>, verdicts: &[Verdict]) -> String {
    let takes = |wrong: &&str| verdicts.iter().any(|v| v.accepts && !v.refuses.contains(*wrong));
    let takes: Vec<&str> = WRONG.into_iter().filter(takes).collect();
    match (takes.is_empty(), with) {
        (true, None) => "yes".to_owned(),
        (true, Some(with)) => format!("yes: {with}"),
        (false, _) => format!("not {}", takes.join(", ")),
    }
}
