//! `chronolease`: reads evidence logs for operators and auditors.

use std::process::ExitCode;

use chronolease_cli::arguments::{Arguments, Command, Evidence};
use chronolease_cli::{fsck, show};
use clap::Parser;

fn main() -> ExitCode {
    let Command::Evidence(command) = Arguments::parse().command;
    let good = match command {
        Evidence::Fsck(arguments) => fsck::run(&arguments.into_request()),
        Evidence::Show(arguments) => show::run(&arguments.into_request()),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
