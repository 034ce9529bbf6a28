//! The `vitrine-server` program.

use std::process::ExitCode;

use clap::Parser;
use vitrine_server::cli::{self, Cli};

#[actix_web::main]
async fn main() -> ExitCode {
    // Files hold events of people: they are for this user only.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    match cli::run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("vitrine-server: {error}");
            ExitCode::FAILURE
        }
    }
}
