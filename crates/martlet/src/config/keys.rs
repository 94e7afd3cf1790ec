//! Every key of the configuration, once. Reading, checking, the default file and the manual's page
//! are made from this table.

use std::path::PathBuf;
use std::time::Duration;

use super::value::{Kind, Value};
use super::{Config, LogFormat};

/// A section of the file.
pub(crate) struct Section {
    /// Its name; empty for the top of the file.
    pub(crate) name: &'static str,
    /// What it is about.
    pub(crate) doc: &'static str,
}

/// One key.
pub(crate) struct Key {
    /// `section.key`, or `key` at the top of the file.
    pub(crate) path: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// What it means, in Markdown.
    pub(crate) doc: &'static str,
    /// Shown where there is no default.
    pub(crate) example: &'static str,
    /// Its value in a configuration; `None` if it has none.
    pub(crate) get: fn(&Config) -> Option<Value>,
    /// Takes the value that its kind has read.
    pub(crate) set: fn(&mut Config, Value),
}

/// Sections in the order they are shown. Those that end in `.*` hold names that the user chooses.
pub(crate) const SECTIONS: &[Section] = &[
    Section { name: "", doc: "Every key is optional; what is shown is the default." },
    Section { name: "listen", doc: "Where to accept connections. Port 0 picks a free port." },
    Section {
        name: "tls",
        doc: "Certificates, in PEM. They are read again on SIGHUP and when the files change. \
              Without a certificate a self-signed one is made in the data directory.",
    },
    Section { name: "auth", doc: "Logging in." },
    Section { name: "storage", doc: "The log of each account." },
    Section { name: "search", doc: "Searches in text." },
    Section { name: "log", doc: "What the server says about its work, on standard error." },
    Section {
        name: "capabilities",
        doc: "Capabilities that are not offered, for clients that stumble over them.",
    },
    Section {
        name: "capabilities.account",
        doc: "The same for single accounts: `name = [\"UIDONLY\"]`.",
    },
    Section {
        name: "capabilities.client",
        doc: "The same for clients that give a name by ID (RFC 2971): \
              `\"Microsoft Office 365\" = [\"UIDONLY\"]`.",
    },
    Section {
        name: "limits",
        doc: "Every bound of the server. The defaults suit households and companies alike.",
    },
];

/// Sections whose keys are names that the user chooses, each with a list of capabilities.
pub(crate) const OPEN_SECTIONS: &[&str] = &["capabilities.account", "capabilities.client"];

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

macro_rules! key {
    ($path:literal, $kind:expr, $variant:ident, $($field:ident).+, $doc:literal) => {
        Key {
            path: $path,
            kind: $kind,
            doc: $doc,
            example: "",
            get: |config| Some(Value::$variant(config.$($field).+.clone())),
            set: |config, value| {
                if let Value::$variant(value) = value {
                    config.$($field).+ = value;
                }
            },
        }
    };
}

macro_rules! path {
    ($path:literal, $($field:ident).+, $example:literal, $doc:literal) => {
        Key {
            path: $path,
            kind: Kind::Path,
            doc: $doc,
            example: $example,
            get: |config| {
                config.$($field).+.as_ref().map(|path| Value::Text(path.display().to_string()))
            },
            set: |config, value| {
                if let Value::Text(text) = value {
                    config.$($field).+ = Some(config.base.join(text));
                }
            },
        }
    };
}

macro_rules! limit {
    (Duration, $path:literal, $field:ident, $min:expr, $max:expr, $doc:literal) => {
        key!($path, Kind::Duration($min, $max), Duration, settings.limits.$field, $doc)
    };
    ($kind:ident, $path:literal, $field:ident, $min:expr, $max:expr, $doc:literal) => {
        Key {
            path: $path,
            kind: Kind::$kind($min, $max),
            doc: $doc,
            example: "",
            get: |config| Some(Value::Number(config.settings.limits.$field as u64)),
            set: |config, value| {
                if let Value::Number(number) = value {
                    config.settings.limits.$field = number as _;
                }
            },
        }
    };
}

/// Every key, in the order of [`SECTIONS`].
pub(crate) const KEYS: &[Key] = &[
    Key {
        path: "data",
        kind: Kind::Path,
        doc: "The data directory, made when it does not exist. Relative to this file.",
        example: "",
        get: |config| Some(Value::Text(config.settings.data.display().to_string())),
        set: |config, value| {
            if let Value::Text(text) = value {
                config.settings.data = config.base.join(PathBuf::from(text));
            }
        },
    },
    Key {
        path: "host_name",
        kind: Kind::Text,
        doc: "The name in greetings, in `Received` headers and in a self-signed certificate. \
              The machine's own when it is left out.",
        example: "mail.example.org",
        get: |config| config.host_name.clone().map(Value::Text),
        set: |config, value| {
            if let Value::Text(text) = value {
                config.host_name = Some(text);
            }
        },
    },
    key!(
        "listen.imap",
        Kind::Addresses,
        Addresses,
        settings.listen.imap,
        "IMAP; clients change to TLS by STARTTLS."
    ),
    key!(
        "listen.imaps",
        Kind::Addresses,
        Addresses,
        settings.listen.imaps,
        "IMAP inside TLS from the first byte."
    ),
    key!(
        "listen.lmtp",
        Kind::Addresses,
        Addresses,
        settings.listen.lmtp,
        "LMTP: where the mail transfer agent delivers. It has no login: never open it to a network \
         that you do not trust."
    ),
    path!(
        "listen.lmtp_socket",
        settings.listen.lmtp_socket,
        "/var/spool/postfix/private/martlet",
        "LMTP on a unix socket."
    ),
    Key {
        path: "listen.lmtp_socket_mode",
        kind: Kind::Mode,
        doc: "Permissions of that socket.",
        example: "",
        get: |config| Some(Value::Number(config.settings.listen.lmtp_socket_mode.into())),
        set: |config, value| {
            if let Value::Number(mode) = value {
                config.settings.listen.lmtp_socket_mode = mode as u32;
            }
        },
    },
    path!(
        "tls.certificate",
        settings.tls.certificate,
        "/etc/letsencrypt/live/mail.example.org/fullchain.pem",
        "The certificate and its chain. Relative to this file."
    ),
    path!(
        "tls.key",
        settings.tls.key,
        "/etc/letsencrypt/live/mail.example.org/privkey.pem",
        "The certificate's private key."
    ),
    path!(
        "tls.client_authorities",
        settings.tls.client_authorities,
        "/etc/martlet/client-ca.pem",
        "Authorities whose client certificates may log in by `AUTHENTICATE EXTERNAL`."
    ),
    key!(
        "auth.plaintext_from_loopback",
        Kind::Bool,
        Bool,
        settings.plaintext_from_loopback,
        "Whether a password may cross an unencrypted connection from the same machine. From \
         anywhere else it never may."
    ),
    key!(
        "storage.retention",
        Kind::Duration(Duration::ZERO, Duration::from_secs(100 * 365 * 86_400)),
        Duration,
        settings.retention,
        "How long expunged messages and old records stay in the log."
    ),
    key!(
        "storage.segment_size",
        Kind::Size(MIB, 2 * GIB),
        Number,
        settings.segment_bytes_max,
        "The size at which a segment of a log is closed and the next one begins."
    ),
    key!(
        "search.index",
        Kind::Bool,
        Bool,
        settings.search_index,
        "Whether an index of each account's text is kept, below a third of the text's size, so that \
         searches need not read every message. Without it they find the same."
    ),
    Key {
        path: "search.attachments",
        kind: Kind::Bool,
        doc: "Whether the text of attached PDF and office documents is searched, which a process of \
              its own reads; where martlet was built with the feature `attachments`.",
        example: "",
        get: |config| Some(Value::Bool(config.attachments)),
        set: |config, value| {
            if let Value::Bool(value) = value {
                config.attachments = value;
            }
        },
    },
    key!(
        "search.index_percent_busy",
        Kind::Count(1, 100),
        Number,
        settings.index_budget.percent_busy,
        "What building the index in the background may take while clients are active: percent of \
         one processor, at the lowest priority."
    ),
    key!(
        "search.index_percent_idle",
        Kind::Count(1, 100),
        Number,
        settings.index_budget.percent_idle,
        "The same while no client has said anything for two seconds."
    ),
    key!(
        "search.index_bytes_per_second",
        Kind::Size(64 * KIB, 1 << 40),
        Number,
        settings.index_budget.bytes_per_second,
        "Mail that building the index reads in a second at most."
    ),
    key!(
        "log.level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
        Text,
        log.level,
        "The least important messages that are written. Read again on SIGHUP."
    ),
    Key {
        path: "log.format",
        kind: Kind::Word(&["auto", "human", "json"]),
        doc: "`auto` is `human` on a terminal and `json` otherwise.",
        example: "",
        get: |config| Some(Value::Text(config.log.format.name().to_owned())),
        set: |config, value| {
            if let Value::Text(text) = value {
                config.log.format = LogFormat::from_name(&text);
            }
        },
    },
    key!("capabilities.disable", Kind::Texts, Texts, settings.mask.all, "Offered to nobody."),
    limit!(
        Size,
        "limits.line_bytes_max",
        line_bytes_max,
        8 * KIB,
        16 * MIB,
        "One command line without its literals."
    ),
    limit!(
        Size,
        "limits.line_bytes_max_before_login",
        line_bytes_max_before_login,
        KIB,
        MIB,
        "The same before login."
    ),
    limit!(
        Size,
        "limits.command_bytes_max",
        command_bytes_max,
        8 * KIB,
        64 * MIB,
        "All literals of one command that are held in memory; a message is not."
    ),
    limit!(
        Size,
        "limits.command_bytes_max_before_login",
        command_bytes_max_before_login,
        KIB,
        MIB,
        "The same before login."
    ),
    limit!(
        Size,
        "limits.message_bytes_max",
        message_bytes_max,
        64 * KIB,
        4 * GIB - 1,
        "One message: `APPENDLIMIT`, and `SIZE` of LMTP."
    ),
    limit!(
        Count,
        "limits.nesting_max",
        nesting_max,
        8,
        1000,
        "Nesting of parentheses in a command."
    ),
    limit!(
        Count,
        "limits.append_messages_max",
        append_messages_max,
        1,
        100_000,
        "Messages in one `APPEND`; they are stored together."
    ),
    limit!(
        Count,
        "limits.pipelined_commands_max",
        pipelined_commands_max,
        1,
        10_000,
        "Commands of one client that run in a row before others get their turn."
    ),
    limit!(
        Count,
        "limits.bad_commands_max",
        bad_commands_max,
        1,
        10_000,
        "Commands that were not understood before the connection is closed: in a row, and before \
         login in all."
    ),
    limit!(
        Duration,
        "limits.login_time",
        login_time,
        SECOND,
        MINUTE.saturating_mul(60),
        "Time to log in."
    ),
    limit!(
        Duration,
        "limits.idle_time",
        idle_time,
        MINUTE.saturating_mul(30),
        DAY.saturating_mul(30),
        "Quiet time after login. RFC 9051 wants 30 minutes at least."
    ),
    limit!(
        Duration,
        "limits.stall_time",
        stall_time,
        SECOND,
        DAY,
        "Quiet time in the middle of a command, a message or an answer."
    ),
    limit!(
        Duration,
        "limits.idle_notify",
        idle_notify,
        SECOND,
        MINUTE.saturating_mul(29),
        "Interval of `* OK Still here` during `IDLE`: routers and some clients forget silent peers."
    ),
    limit!(
        Count,
        "limits.connections_per_address_max",
        connections_per_address_max,
        1,
        1_000_000,
        "Connections from one address. A household, an office or a webmail sits behind one."
    ),
    limit!(
        Count,
        "limits.connections_per_account_max",
        connections_per_account_max,
        1,
        1_000_000,
        "Connections of one account."
    ),
    limit!(
        Count,
        "limits.connections_before_login_max",
        connections_before_login_max,
        1,
        1_000_000,
        "Connections of the whole server that have not logged in."
    ),
    limit!(
        Count,
        "limits.failed_logins_free",
        failed_logins_free,
        0,
        1000,
        "Failed logins from one address, or to one account, before answers are delayed."
    ),
    limit!(
        Duration,
        "limits.failed_login_delay_max",
        failed_login_delay_max,
        Duration::ZERO,
        MINUTE.saturating_mul(5),
        "The longest delay of an answer to a failed login."
    ),
    limit!(
        Size,
        "limits.mailbox_name_bytes_max",
        mailbox_name_bytes_max,
        64,
        16 * KIB,
        "The longest name of a mailbox, in UTF-8."
    ),
    limit!(
        Count,
        "limits.mailbox_depth_max",
        mailbox_depth_max,
        1,
        1000,
        "The deepest hierarchy of mailboxes."
    ),
    limit!(
        Count,
        "limits.mailboxes_max",
        mailboxes_max,
        10,
        10_000_000,
        "Mailboxes of one account."
    ),
    limit!(
        Count,
        "limits.keywords_max",
        keywords_max,
        10,
        100_000,
        "Different keywords in one mailbox."
    ),
    limit!(
        Count,
        "limits.recipients_max",
        recipients_max,
        100,
        100_000,
        "Recipients of one delivery."
    ),
    limit!(
        Count,
        "limits.mime_parts_max",
        mime_parts_max,
        10,
        100_000,
        "MIME parts of a message that are told apart; the rest belongs to the last one."
    ),
    limit!(
        Count,
        "limits.mime_depth_max",
        mime_depth_max,
        5,
        500,
        "Nesting of MIME parts that is looked into."
    ),
    limit!(
        Size,
        "limits.header_bytes_max",
        header_bytes_max,
        8 * KIB,
        16 * MIB,
        "One part's header; what follows is stored, but not interpreted."
    ),
    limit!(
        Size,
        "limits.document_bytes_max",
        document_bytes_max,
        0,
        GIB,
        "An attached document whose text is searched; larger ones are found by their headers."
    ),
    limit!(
        Count,
        "limits.addresses_max",
        addresses_max,
        10,
        100_000,
        "Addresses of one header field that `ENVELOPE` lists."
    ),
    limit!(
        Count,
        "limits.parameters_max",
        parameters_max,
        5,
        10_000,
        "Parameters of one MIME field that `BODYSTRUCTURE` lists."
    ),
    limit!(
        Size,
        "limits.output_bytes_max",
        output_bytes_max,
        16 * KIB,
        64 * MIB,
        "Responses that wait for a slow client before the server stops producing more."
    ),
    limit!(
        Size,
        "limits.idle_accounts_bytes_max",
        idle_accounts_bytes_max,
        0,
        1 << 40,
        "Memory for accounts that nobody uses at the moment."
    ),
    limit!(
        Count,
        "limits.prepared_accounts_max",
        prepared_accounts_max,
        0,
        4096,
        "Accounts that are opened after a start because they were used before it."
    ),
    limit!(
        Size,
        "limits.search_memory_bytes_max",
        search_memory_bytes_max,
        0,
        1 << 40,
        "Memory for what searches, sorts and threads keep of whole mailboxes."
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_key() {
        let fields = format!("{:#?}", base::Limits::default());
        for field in fields.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": ")) {
            let path = format!("limits.{}", field.0);
            assert!(KEYS.iter().any(|key| key.path == path), "{path} is missing in KEYS");
        }
    }

    #[test]
    fn defaults_are_within_their_bounds() {
        let config = Config::default();
        for key in KEYS {
            if let Some(value) = (key.get)(&config) {
                let text = format!("x = {}", key.kind.print(&value));
                let table = toml::de::DeTable::parse(&text).expect("valid TOML");
                let read = table.get_ref().get("x").map(|item| key.kind.read(item.get_ref()));
                assert_eq!(read, Some(Ok(value)), "{}", key.path);
            }
        }
    }
}
