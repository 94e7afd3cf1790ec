//! FETCH and SEARCH of what does not fit into memory, of what is damaged, and for clients that do
//! not read.

mod common;
mod odd_storage;
mod one_client;

use std::sync::atomic::Ordering;

use one_client::Client;
use testkit::block_on;

/// A message of some MiB: text, and an attachment in base64 that holds NULs.
fn large() -> (Vec<u8>, Vec<u8>) {
    let mut message = b"From: a@example.org\r\nSubject: large\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
        .to_vec();
    for line in 0..40_000 {
        message.extend_from_slice(format!("This is line number {line} of it.\r\n").as_bytes());
    }
    message.extend_from_slice(
        b"needle in a haystack\r\n--b\r\nContent-Type: application/octet-stream\r\n\
        Content-Transfer-Encoding: base64\r\n\r\n",
    );
    let data: Vec<u8> = (0..900_000u32).map(|n| (n * 7 % 256) as u8).collect();
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for line in data.chunks(57) {
        for group in line.chunks(3) {
            let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte));
            let digit = |at: u32| ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
            message.extend((0..4).map(digit));
        }
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"--b--\r\n");
    (message, data)
}

#[test]
fn large_messages_stream() {
    let (message, data) = large();
    let mut client = Client::new();
    client.deliver(&message);
    client.ask("b SELECT INBOX");

    let (head, whole, tail) = client.literal("c FETCH 1 BODY.PEEK[]");
    assert_eq!(head, format!("* 1 FETCH (BODY[] {{{}}}", message.len()));
    assert!(whole == message, "the message comes back byte for byte");
    assert_eq!(tail, ")\r\nc OK FETCH completed\r\n");

    // In chunks, as Thunderbird and Apple Mail fetch; the last is short, and then there is nothing.
    let mut chunks = Vec::new();
    loop {
        let line = format!("d FETCH 1 BODY.PEEK[]<{}.393216>", chunks.len());
        if chunks.len() >= message.len() {
            assert!(
                client
                    .text(&line)
                    .starts_with(&format!("* 1 FETCH (BODY[]<{}> \"\")", chunks.len()))
            );
            break;
        }
        let (head, chunk, _) = client.literal(&line);
        assert!(head.starts_with(&format!("* 1 FETCH (BODY[]<{}> {{", chunks.len())), "{head}");
        chunks.extend(chunk);
    }
    assert!(chunks == message, "the chunks are the message");

    let (head, decoded, _) = client.literal("e FETCH 1 BINARY.PEEK[2]");
    assert_eq!(head, format!("* 1 FETCH (BINARY[2] ~{{{}}}", data.len()));
    assert!(decoded == data, "the attachment is decoded");
    let (head, part, _) = client.literal("f FETCH 1 BINARY.PEEK[2]<899990.100>");
    assert_eq!(head, "* 1 FETCH (BINARY[2]<899990> {10}");
    assert_eq!(part, data[899_990..]);
    let size = format!("* 1 FETCH (BINARY.SIZE[2] {})\r\ng OK FETCH completed\r\n", data.len());
    assert_eq!(client.text("g FETCH 1 BINARY.SIZE[2]"), size);

    let (_, fields, _) = client.literal("h FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]");
    assert_eq!(fields, b"Subject: large\r\n\r\n");
    let start = message.windows(12).position(|w| w == b"This is line").unwrap();
    let (_, text, _) = client.literal("i FETCH 1 BODY.PEEK[1]");
    assert!(message[start..].starts_with(&text) && text.ends_with(b"haystack"));

    for (key, found) in [
        ("BODY \"NEEDLE in\"", " 1"),
        ("SUBJECT LARGE NOT FROM nobody", " 1"),
        ("SUBJECT small BODY needle", ""),
        ("TEXT absent", ""),
    ] {
        let answer = client.text(&format!("j SEARCH {key}"));
        assert_eq!(answer, format!("* SEARCH{found}\r\nj OK SEARCH completed\r\n"), "{key}");
    }
}

#[test]
fn whole_messages_are_answered_as_parts_of_them_are() {
    let mut client = Client::new();
    // Copied, passed on, streamed; between them so many that rows are looked up more than once.
    for size in [1, 4000, 6000, 300_000, 20].into_iter().chain((0..700).map(|n| n % 7)) {
        client.deliver(format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(size)).as_bytes());
    }
    client.ask("b SELECT INBOX (CONDSTORE)");
    client.ask("c UID STORE 2,40:60,610 +FLAGS.SILENT (\\Deleted)");
    client.ask("d EXPUNGE");
    let live = block_on(client.server.shared.accounts.open(base::AccountId([1; 16]))).unwrap();
    let position = live.state().find("INBOX").unwrap().mailbox.nth(9).unwrap().position;
    client.storage.damaged.lock().unwrap().insert(position);
    for (command, count) in [
        ("FETCH 1:* (UID FLAGS $)", 682 - 1),
        ("UID FETCH 1:4294967295 ($ RFC822.SIZE)", 682 - 1),
        ("FETCH 682,1:3,600:610 ($ MODSEQ)", 15),
        ("FETCH 10 $", 0),
    ] {
        let ask = |client: &mut Client, part: &str| {
            let item = format!("BODY.PEEK[]{part}");
            client.text(&format!("e {}", command.replace('$', &item)))
        };
        let whole = ask(&mut client, "");
        assert_eq!(whole.matches(" FETCH (").count(), count, "{command}");
        assert_eq!(whole.contains("\r\ne OK "), !command.contains("1:*") && count == 15);
        // Parts go another way.
        let parts = ask(&mut client, "<0.4294967295>");
        assert!(parts.replace("BODY[]<0>", "BODY[]") == whole, "{command}");
    }
}

#[test]
fn a_client_that_does_not_read_is_waited_for() {
    let mut client = Client::new();
    let message = format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(20_000));
    const COUNT: usize = 200;
    for _ in 0..COUNT {
        client.deliver(message.as_bytes());
    }
    client.ask("b SELECT INBOX");
    client.peer.set_window(1000);
    let before = client.storage.octets_read.load(Ordering::SeqCst);
    client.peer.send(b"c FETCH 1:* (FLAGS BODY.PEEK[])\r\n");
    client.executor.run();
    let octets = client.storage.octets_read.load(Ordering::SeqCst) - before;
    // A group that is answered and one that is read.
    assert!(octets < 700_000, "{octets} octets were read for a client that reads none");
    // It loses nothing by that.
    let mut output = Vec::new();
    loop {
        let more = client.peer.receive();
        if more.is_empty() {
            break;
        }
        output.extend_from_slice(&more);
        client.executor.run();
    }
    let all = String::from_utf8(output).unwrap();
    assert_eq!(all.matches("FETCH (FLAGS (\\Recent) BODY[] {").count(), COUNT);
    assert!(all.ends_with(")\r\nc OK FETCH completed\r\n"));
}

#[test]
fn damage_is_contained() {
    let mut client = Client::new();
    for subject in ["one", "two", "three"] {
        client.deliver(format!("Subject: {subject}\r\n\r\ntext\r\n").as_bytes());
    }
    client.ask("b SELECT INBOX");
    let live = block_on(client.server.shared.accounts.open(base::AccountId([1; 16]))).unwrap();
    let position = live.state().find("INBOX").unwrap().mailbox.nth(1).unwrap().position;
    client.storage.damaged.lock().unwrap().insert(position);
    let answer = client.text("c FETCH 1:3 (UID BODY[TEXT])");
    assert_eq!(
        answer,
        "* 1 FETCH (UID 1 BODY[TEXT] {6}\r\ntext\r\n FLAGS (\\Seen \\Recent))\r\n\
         * 3 FETCH (UID 3 BODY[TEXT] {6}\r\ntext\r\n FLAGS (\\Seen \\Recent))\r\n\
         c NO [CORRUPTION] some of the messages cannot be read\r\n"
    );
    // What needs no bytes works, and so does the search of the others.
    assert!(client.text("d FETCH 2 (FLAGS RFC822.SIZE)").ends_with("d OK FETCH completed\r\n"));
    assert_eq!(client.text("e SEARCH TEXT t"), "* SEARCH 1 3\r\ne OK SEARCH completed\r\n");
    assert_eq!(client.text("f SEARCH NOT BODY z"), "* SEARCH 1 2 3\r\nf OK SEARCH completed\r\n");
    assert_eq!(
        client.text("g STORE 2 +FLAGS (\\Deleted)"),
        "* 2 FETCH (FLAGS (\\Deleted \\Recent))\r\ng OK STORE completed\r\n"
    );
}

#[test]
fn a_full_disk_keeps_nobody_from_reading() {
    let mut client = Client::new();
    client.deliver(b"Subject: x\r\n\r\ntext\r\n");
    client.ask("b SELECT INBOX");
    *client.storage.is_full.lock().unwrap() = true;
    assert_eq!(
        client.text("c FETCH 1 BODY[TEXT]"),
        "* NO [UNAVAILABLE] The messages could not be marked as seen\r\n\
         * 1 FETCH (BODY[TEXT] {6}\r\ntext\r\n)\r\nc OK FETCH completed\r\n"
    );
    assert_eq!(
        client.text("d STORE 1 +FLAGS (\\Deleted)"),
        "d NO [UNAVAILABLE] storage is unavailable, try again later\r\n"
    );
    *client.storage.is_full.lock().unwrap() = false;
    assert_eq!(
        client.text("e STORE 1 +FLAGS (\\Deleted)"),
        "* 1 FETCH (FLAGS (\\Deleted \\Recent))\r\ne OK STORE completed\r\n"
    );
}

/// The position of the last record of alice's log.
fn head(client: &Client) -> u64 {
    let live = block_on(client.server.shared.accounts.open(base::AccountId([1; 16])));
    live.expect("an account").state().head().get()
}

#[test]
fn a_range_is_one_record() {
    let mut client = Client::new();
    client.deliver(b"Subject: x\r\n\r\ntext\r\n");
    client.ask("b SELECT INBOX");
    // 2 to the 14th.
    for _ in 0..14 {
        let before = head(&client);
        assert!(client.text("c COPY 1:* INBOX").contains("c OK [COPYUID "));
        assert_eq!(head(&client), before + 1 + 1, "the copy, and the claim of \\Recent");
    }
    for (command, answers) in [
        ("STORE 1:* +FLAGS.SILENT (\\Seen $Work)", 0),
        ("STORE 1:16384 -FLAGS (\\Seen)", 16_384),
        ("UID STORE 1:10,20:30000 FLAGS (\\Deleted)", 16_375),
        ("UID EXPUNGE 7:*", 16_369),
        ("UID MOVE 1:6 Archive", 6),
    ] {
        let before = head(&client);
        let answer = client.text(&format!("d {command}"));
        let told = answer.matches(" FETCH (").count() + answer.matches(" EXPUNGE\r\n").count();
        assert_eq!(told, answers, "{command}");
        assert_eq!(head(&client), before + 1, "{command}");
    }
}

#[test]
fn what_is_read_is_marked_as_seen_group_by_group() {
    let mut client = Client::new();
    client.deliver(b"Subject: x\r\n\r\ntext\r\n");
    client.ask("b SELECT INBOX");
    for _ in 0..10 {
        client.ask("c COPY 1:* INBOX");
    }
    client.ask("d STORE 3,700 +FLAGS.SILENT (\\Seen)");
    let before = head(&client);
    let answer = client.text("e FETCH 1:* (BODY[TEXT])");
    assert!(answer.ends_with("e OK FETCH completed\r\n"));
    assert_eq!(answer.matches("BODY[TEXT] {6}\r\ntext\r\n").count(), 1024);
    // Those that were seen before have nothing new to tell.
    assert_eq!(answer.matches(" FLAGS (\\Seen \\Recent))\r\n").count(), 1022);
    assert_eq!(head(&client), before + 2, "512 messages are one record");
    assert_eq!(client.text("f SEARCH UNSEEN"), "* SEARCH\r\nf OK SEARCH completed\r\n");
    let again = client.text("g FETCH 1:* (BODY[])");
    assert_eq!((again.matches("FLAGS").count(), head(&client)), (0, before + 2));
}
