// SPDX-License-Identifier: Apache-2.0
//! The arguments of the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use femtoclaw_ledger::integrity::key::VerifierKey;

const EXIT_CODES: &str = "\
Data goes to standard output, everything else to standard error. FILE can be - for standard input.

Exit codes: 0 verified, intact, salvaged as a whole; 1 failure; 2 usage; 3 damaged, or not what it claims
to be; 4 done, with something to be looked at; 10 no ledger there; 11 in use; 13 of another format;
14 not found.";

/// Checks what a ledger gives to others, and reads ledgers that do not open.
#[derive(Debug, Parser)]
#[command(name = "femtoclaw-ledger", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Checks with public keys alone; no ledger is opened, nothing is changed
    #[command(subcommand)]
    Verify(Verify),
    /// Prints the page for people that evidence gives, and checks nothing
    Page {
        /// The evidence: a file, or the directory that holds it
        file: String,
    },
    #[cfg(feature = "engine")]
    /// Tells what a ledger holds and what is wrong with it, also if it does not open
    ///
    /// All of the ledger is read, and nothing in its directory is changed. With a policy or keys it also
    /// tells whether each recorded checkpoint is signed as they demand, and covers the ledger's own records.
    Inspect {
        /// The ledger's directory
        ledger: String,
        #[command(flatten)]
        trust: TrustArguments,
        #[command(flatten)]
        output: Output,
    },
    #[cfg(feature = "engine")]
    /// Copies what verifies of a damaged ledger into a new one
    ///
    /// Records are copied from record 1 on to the first that does not verify; the damaged ledger is only
    /// read. Whole frames behind that record are kept in NEW/quarantine/salvage.
    Salvage {
        /// The damaged ledger's directory
        ledger: String,
        /// The new ledger's directory, which must not exist
        new: String,
        /// Goes on where the record that the anchor claims is another one
        #[arg(long)]
        disregard_anchor: bool,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verify {
    /// A signed note (C2SP tlog-checkpoint)
    Checkpoint {
        /// The note
        file: String,
        #[command(flatten)]
        trust: TrustArguments,
        #[command(flatten)]
        output: Output,
    },
    /// A proof (C2SP tlog-proof) that a record's header is in a log
    Proof {
        /// The proof
        file: String,
        /// The record's header
        #[arg(long, value_name = "FILE")]
        entry: String,
        #[command(flatten)]
        trust: TrustArguments,
        #[command(flatten)]
        output: Output,
    },
    /// A directory of tiles (C2SP tlog-tiles): every entry, every tile, the root
    Export {
        /// The directory
        directory: String,
        /// An earlier checkpoint that the export must extend
        #[arg(long, value_name = "FILE")]
        since: Option<String>,
        #[command(flatten)]
        trust: TrustArguments,
        #[command(flatten)]
        output: Output,
    },
    /// Evidence of one execution: a file, or the directory that holds it with its page
    Bundle {
        /// The file or the directory
        path: String,
        /// An export, from whose headers it is seen that no record of the execution is left out
        #[arg(long, value_name = "DIRECTORY")]
        export: Option<String>,
        #[command(flatten)]
        trust: TrustArguments,
        #[command(flatten)]
        output: Output,
    },
}

/// Whom the caller trusts. A KEY is name+id+base64.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
pub(crate) struct TrustArguments {
    /// The policy (C2SP tlog-policy), which stands for all of --log, --witness and --quorum
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log", "witness", "quorum"])]
    pub(crate) policy: Option<String>,
    /// The key of a log, name+id+base64; can be given again
    #[arg(long, value_name = "KEY", value_parser = VerifierKey::parse)]
    pub(crate) log: Vec<VerifierKey>,
    /// The key of a witness, name+id+base64; can be given again
    #[arg(long, value_name = "KEY", value_parser = VerifierKey::parse, requires = "quorum")]
    pub(crate) witness: Vec<VerifierKey>,
    /// How many of the witnesses must have signed
    #[arg(long, value_name = "NUMBER")]
    pub(crate) quorum: Option<u64>,
    /// The present, in seconds since 1970: cosignatures of later times do not count
    #[arg(long, value_name = "SECONDS")]
    pub(crate) now: Option<u64>,
}

impl TrustArguments {
    /// Whether the caller trusts anybody.
    pub(crate) fn is_given(&self) -> bool {
        self.policy.is_some() || !self.log.is_empty()
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines of a name and a value
    Table,
    /// One JSON object
    Json,
}
