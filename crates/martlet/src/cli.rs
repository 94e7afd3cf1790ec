//! What can be typed after `martlet`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A mail store: IMAP, LMTP, and nothing acknowledged is ever lost.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes:\n  \
    0  all is well\n  \
    1  it was refused, or failed\n  \
    2  wrong usage, or a mistake in the configuration\n  \
    3  the data cannot be had: locked by another process, or unreadable\n  \
    4  doctor found damage, or an import is not complete")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where the data and the configuration are.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Place {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory; overrides the configuration [default: ./martlet-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server; prints `ready` and its addresses when it accepts connections
    Serve(Serve),
    /// Run a throw-away server with two accounts and some hundred messages
    Demo,
    /// The configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Accounts; whether or not a server runs
    #[command(subcommand)]
    Account(AccountCommand),
    /// Bring mail along from elsewhere; safe to run again
    #[command(subcommand)]
    Import(ImportCommand),
    /// The index for searches in text; the server keeps it up to date by itself
    #[command(subcommand)]
    Index(IndexCommand),
    /// Read documents for a server: its business alone
    #[command(hide = true)]
    Extract,
    /// Verify every byte of the data, and salvage what is damaged
    Doctor(Doctor),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to accept IMAP (STARTTLS), or `none` [default: 127.0.0.1:1143]
    #[arg(long, value_name = "ADDR")]
    pub(crate) imap: Vec<String>,
    /// Where to accept IMAP inside TLS, or `none` [default: 127.0.0.1:1993]
    #[arg(long, value_name = "ADDR")]
    pub(crate) imaps: Vec<String>,
    /// Where to accept LMTP, or `none` [default: 127.0.0.1:1024]
    #[arg(long, value_name = "ADDR")]
    pub(crate) lmtp: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a file with every key, its meaning and its default
    Default,
    /// Tell all mistakes of the file at once, each with its line and a remedy
    Check,
    /// Print the manual's page, docs/config.md
    #[command(hide = true)]
    Manual,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make an account with its first mailboxes; asks for a password
    Add {
        /// Its name, such as `alice` or `alice@example.org`
        name: String,
        /// Read the password from standard input: its first line
        #[arg(long)]
        password_stdin: bool,
    },
    /// All accounts
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One account with its mailboxes
    Show {
        /// Its name
        name: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a new password; asks for it
    Passwd {
        /// The account
        name: String,
        /// Read the password from standard input: its first line
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove an account with all its mail
    Remove {
        /// The account
        name: String,
        /// Really
        #[arg(long)]
        yes: bool,
    },
    /// Let nobody log in; mail still arrives
    Disable {
        /// The account
        name: String,
    },
    /// Let its owner log in again
    Enable {
        /// The account
        name: String,
    },
    /// How many bytes of mail it may keep
    Quota {
        /// The account
        name: String,
        /// A size such as `2GiB`, or `none`
        size: String,
    },
    /// Other names for accounts
    #[command(subcommand)]
    Alias(AliasCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AliasCommand {
    /// Give an account another name
    Add {
        /// The other name
        alias: String,
        /// The account
        name: String,
    },
    /// Take an alias away
    Remove {
        /// The alias
        alias: String,
    },
    /// All aliases
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// A Maildir or Maildir++ with its subfolders: flags, keywords, dates, UIDs, subscriptions
    Maildir {
        /// The directory
        path: PathBuf,
        /// The account
        #[arg(long, value_name = "NAME")]
        account: String,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// An mbox file: mboxo, mboxrd, mboxcl and mboxcl2
    Mbox {
        /// The file
        path: PathBuf,
        /// The account
        #[arg(long, value_name = "NAME")]
        account: String,
        /// The mailbox it goes to [default: INBOX]
        #[arg(long, value_name = "M")]
        mailbox: Option<String>,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Throw the index away and build it again, whether or not a server runs
    Rebuild {
        /// Only of this account
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
        /// Print what was done as JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell how far each account is indexed, and what that takes
    Status {
        /// Only of this account
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Only this account: its name, or the identity of one that has no name any more
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Salvage what is readable around damage
    #[arg(long)]
    pub(crate) repair: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
