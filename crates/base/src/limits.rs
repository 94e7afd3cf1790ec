//! Every bound of the server in one place, each with its reason. Configuration may change them.

use std::time::Duration;

/// The bounds a server runs with. `Default` is what an unconfigured server uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One command line without its literals, in bytes, after login. RFC 7162 §4 lets clients send
    /// 8,192; Thunderbird and imapfilter send UID lists of tens of KiB.
    pub line_bytes_max: usize,
    /// One command line before login: names, passwords and OAuth tokens fit.
    pub line_bytes_max_before_login: usize,
    /// All literals of one command that are held in memory (names, search strings), in bytes.
    pub command_bytes_max: usize,
    /// The same before login.
    pub command_bytes_max_before_login: usize,
    /// One message, in bytes: APPENDLIMIT (RFC 7889) and LMTP SIZE (RFC 1870).
    pub message_bytes_max: u64,
    /// Nesting of parentheses in a command: search keys, THREAD, LIST options.
    pub nesting_max: usize,
    /// Messages in one MULTIAPPEND (RFC 3502): they commit together.
    pub append_messages_max: usize,
    /// Commands of one client that run in a row, without waiting for it, before others get their
    /// turn. What is not read yet waits in the socket: one read is all that is ever held.
    pub pipelined_commands_max: usize,
    /// Commands that were not understood before the connection is closed: in all before login, and
    /// in a row, without one that was, after it.
    pub bad_commands_max: usize,
    /// Time to log in, from the connection's first byte. Slow hands at `openssl s_client` fit.
    pub login_time: Duration,
    /// Quiet time after login. RFC 9051 §5.4: at least 30 minutes.
    pub idle_time: Duration,
    /// Quiet time in the middle of a command or a literal.
    pub stall_time: Duration,
    /// Interval of `* OK Still here` during IDLE: NAT tables and Outlook forget silent peers.
    pub idle_notify: Duration,
    /// Connections from one address. A household, an office or a webmail sits behind one.
    pub connections_per_address_max: usize,
    /// Connections of one account over all protocols.
    pub connections_per_account_max: usize,
    /// Connections of the whole server that have not logged in.
    pub connections_before_login_max: usize,
    /// Failed logins from one address, or to one account, before answers are delayed.
    pub failed_logins_free: u32,
    /// The longest delay of an answer to a failed login.
    pub failed_login_delay_max: Duration,
    /// The longest mailbox name, in bytes of UTF-8.
    pub mailbox_name_bytes_max: usize,
    /// The deepest mailbox hierarchy.
    pub mailbox_depth_max: usize,
    /// Mailboxes of one account.
    pub mailboxes_max: usize,
    /// Different keywords in one mailbox.
    pub keywords_max: usize,
    /// Recipients of one LMTP transaction. RFC 5321 §4.5.3.1.8 wants 100 at least.
    pub recipients_max: usize,
    /// MIME parts of one message that are told apart; the rest belongs to the last one.
    pub mime_parts_max: usize,
    /// Nesting of MIME parts; deeper ones are opaque.
    pub mime_depth_max: usize,
    /// One part's header, in bytes; what follows is not interpreted.
    pub header_bytes_max: usize,
    /// An attached document whose text is searched, in bytes: it is held in memory while it is read.
    pub document_bytes_max: usize,
    /// Addresses of one header field that ENVELOPE lists.
    pub addresses_max: usize,
    /// Parameters of one MIME field that BODYSTRUCTURE lists.
    pub parameters_max: usize,
    /// Bytes of responses that wait for a slow client before the server stops producing.
    pub output_bytes_max: usize,
    /// Memory for accounts that no session uses.
    pub idle_accounts_bytes_max: usize,
    /// Accounts that are opened after a start because they were used before it. They take an eighth
    /// of that memory at most; to open one takes a millisecond, or some milliseconds for 100,000 messages.
    pub prepared_accounts_max: usize,
    /// Memory for what searches, sorts and threads keep of whole mailboxes: half of it for header
    /// fields, of which one of a million messages fits.
    pub search_memory_bytes_max: usize,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: 128 * KIB,
            line_bytes_max_before_login: 16 * KIB,
            command_bytes_max: MIB,
            command_bytes_max_before_login: 16 * KIB,
            message_bytes_max: 128 * MIB as u64,
            nesting_max: 64,
            append_messages_max: 1000,
            pipelined_commands_max: 64,
            bad_commands_max: 20,
            login_time: Duration::from_secs(180),
            idle_time: Duration::from_secs(31 * 60),
            stall_time: Duration::from_secs(300),
            idle_notify: Duration::from_secs(120),
            connections_per_address_max: 1000,
            connections_per_account_max: 200,
            connections_before_login_max: 2000,
            failed_logins_free: 5,
            failed_login_delay_max: Duration::from_secs(15),
            mailbox_name_bytes_max: 1000,
            mailbox_depth_max: 50,
            mailboxes_max: 100_000,
            keywords_max: 1000,
            recipients_max: 1000,
            mime_parts_max: 1000,
            mime_depth_max: 50,
            header_bytes_max: 256 * KIB,
            document_bytes_max: 16 * MIB,
            addresses_max: 1000,
            parameters_max: 100,
            output_bytes_max: 128 * KIB,
            idle_accounts_bytes_max: 256 * MIB,
            prepared_accounts_max: 64,
            search_memory_bytes_max: 128 * MIB,
        }
    }
}
