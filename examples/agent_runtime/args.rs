// SPDX-License-Identifier: Apache-2.0
//! The command line. `clap` ends the program with code 2 where it is wrong.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// A small agent runtime that records everything it does in a femtoclaw ledger.
#[derive(Debug, Parser)]
#[command(name = "agent_runtime", version)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub(crate) struct Args {
    /// Protocol outputs, one JSON a line; `-` is standard input [default: the bundled session]
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Directory of the ledger
    #[arg(long, value_name = "DIR", default_value = "./agent-data")]
    pub(crate) data: PathBuf,
    /// Directory that `fs.*` sees and programs run in
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) root: PathBuf,
    /// Requests handled at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8192))]
    pub(crate) concurrency: u32,
    /// Read the input N times over
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeat: u64,
    /// JSON lines instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// No line per request, only what was recovered and the summary
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Spans and events of the ledger on standard error; twice for more
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Serve /metrics and /health there; loopback only, port 0 picks one
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    pub(crate) metrics: Option<SocketAddr>,
    /// Stay after the last request, until SIGTERM or Ctrl-C
    #[arg(long)]
    pub(crate) serve: bool,
    /// Write a line per acknowledgement: command id, first and last sequence number
    #[arg(long, value_name = "FILE")]
    pub(crate) acks: Option<PathBuf>,
    /// Kill this process with SIGKILL after N acknowledgements
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) crash_after: Option<u64>,
    /// Leave executions in doubt as they are instead of resolving them as lost
    #[arg(long)]
    pub(crate) keep_in_doubt: bool,
    /// After the last request, ask for a payment that this person approves
    #[arg(long, value_name = "NAME")]
    pub(crate) approve: Option<String>,
    /// Engine memory before it flushes to a table, in bytes (small ones rotate often)
    #[arg(long, value_name = "BYTES")]
    pub(crate) memtable_bytes: Option<u64>,
}

impl Args {
    /// Reads and checks the command line.
    pub(crate) fn read() -> Self {
        let args = Self::parse();
        if args.repeat > 1 && args.reads_stdin() {
            let problem = "--repeat needs an input that can be read again, not standard input";
            clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, problem).exit();
        }
        args
    }

    /// True for `--input -`.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.input
            .as_deref()
            .is_some_and(|path| path.as_os_str() == "-")
    }

    /// Where acknowledgements are kept outside the ledger: beside its directory unless told.
    pub(crate) fn acks_path(&self) -> PathBuf {
        self.acks.clone().unwrap_or_else(|| {
            let mut path = self.data.as_os_str().to_owned();
            path.push(".acks");
            path.into()
        })
    }
}

/// The pages show what an agent did: they are for this machine only.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "not an ADDR:PORT".to_owned())?;
    if !address.ip().is_loopback() {
        return Err("only a loopback address is served (127.0.0.1 or [::1])".to_owned());
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_served() {
        assert!(loopback("127.0.0.1:0").is_ok() && loopback("[::1]:9464").is_ok());
        for bad in ["0.0.0.0:9464", "192.0.2.1:80", "localhost", "9464", ""] {
            assert!(loopback(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn acknowledgements_lie_beside_the_ledger() {
        let args = Args::parse_from(["agent_runtime", "--data", "/x/ledger"]);
        assert_eq!(args.acks_path(), PathBuf::from("/x/ledger.acks"));
        assert!(Args::try_parse_from(["agent_runtime", "--concurrency", "0"]).is_err());
        assert!(Args::try_parse_from(["agent_runtime", "--crash-after", "0"]).is_err());
    }
}
