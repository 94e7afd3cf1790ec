//! What people write about in the demonstration.

/// Name and address. Names that are not ASCII come encoded, as senders write them.
pub(super) const PEOPLE: &[(&str, &str)] = &[
    ("Bob Berger", "bob@example.org"),
    ("Carol Chen", "carol@example.com"),
    ("=?UTF-8?Q?Ji=C5=99=C3=AD_Dvo=C5=99=C3=A1k?=", "jiri@example.cz"),
    ("=?ISO-8859-1?Q?G=F6ran_L=F6fgren?=", "goran@example.se"),
    ("\"Okafor, Dayo\"", "dayo@example.ng"),
    ("=?UTF-8?B?5bGx55Sw5aSq6YOO?=", "taro@example.jp"),
    ("Emma O'Neill", "emma@example.ie"),
    ("Frida Kowalski", "frida@example.pl"),
];

/// A subject and the messages of its thread.
pub(super) struct Topic {
    pub(super) mailbox: &'static str,
    pub(super) subject: &'static str,
    pub(super) lines: &'static [&'static str],
}

pub(super) const TOPICS: &[Topic] = &[
    Topic {
        mailbox: "INBOX",
        subject: "The garden behind the office",
        lines: &[
            "Shall we plant tomatoes this year? The beds on the south side are free.",
            "Yes, and beans. I have seeds left from last summer.",
            "Beans need poles. Who has a car?",
            "I can drive on Saturday morning.",
            "Then Saturday at nine. Bring gloves.",
        ],
    },
    Topic {
        mailbox: "INBOX",
        subject: "Minutes of Tuesday",
        lines: &[
            "The minutes are below. Please correct what I got wrong.",
            "Item three: we said the end of the month, not the beginning.",
            "Corrected, thank you.",
        ],
    },
    Topic {
        mailbox: "INBOX",
        subject: "=?ISO-8859-1?Q?Gr=FC=DFe_aus_K=F6ln?=",
        lines: &[
            "The cathedral is still there, and it still rains.",
            "Bring an umbrella for me too.",
        ],
    },
    Topic {
        mailbox: "INBOX",
        subject: "Slow queries since the upgrade",
        lines: &[
            "Since the upgrade the report takes forty seconds instead of two.",
            "Which index does it use? Send me the plan.",
            "Attached. It scans the whole table.",
            "The statistics are stale. Run ANALYZE and try again.",
            "Two seconds. Thank you!",
            "Let us do that after every upgrade, then.",
        ],
    },
    Topic {
        mailbox: "Lists/rust",
        subject: "[rust] Pinning, again",
        lines: &[
            "Can somebody explain when a future has to be pinned?",
            "When it refers to itself, and it may after its first poll.",
            "So before the first poll I may move it?",
            "Yes. That is why pin! takes it by value.",
            "The book has a new chapter about it.",
        ],
    },
    Topic {
        mailbox: "Lists/rust",
        subject: "[rust] Which crate for CRC32C?",
        lines: &["I need hardware support on two platforms.", "crc32c has it on both."],
    },
    Topic {
        mailbox: "Lists/imap",
        subject: "[imap] Is UIDNEXT a promise?",
        lines: &[
            "May UIDNEXT be lower than the UID of the next message?",
            "It says that no new message gets a UID below it. It may be higher.",
            "RFC 9051, section 2.3.1.1.",
        ],
    },
    Topic {
        mailbox: "Projects/Garden",
        subject: "Invoice for the greenhouse",
        lines: &["The invoice is attached.", "Paid today."],
    },
    Topic {
        mailbox: "Archive",
        subject: "=?UTF-8?B?UMWZw61nb2RhIHYgxI1ydm5jdQ==?=",
        lines: &["We take the train at eight.", "I will be at the station."],
    },
    Topic {
        mailbox: "Archive",
        subject: "Keys",
        lines: &["Who has the keys of the cellar?", "I do.", "Please give them to Carol."],
    },
];
