//! The text of attached documents is found by a real server: without the index, with it, and whatever
//! becomes of the process that reads them.
#![cfg(feature = "attachments")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Server, add_account, cli_ok};

/// A docx that says "Die Zebrastreifen & mehr".
const WORD: &str = "UEsDBBQAAAAIAI9wd12JRVkYTgAAAH0AAAARAAAAd29yZC9kb2N1bWVudC54bWyzKbdKyU8uzU3N\r\n\
     K7GzKbdKyk+pBNEFIKIIRJTYuWSmKkSlJhUl2uiDuCCyCEm6uKQoNTMtNU9BLTG3wFohNzWjCEWh\r\n\
     Ptg0fZjZ+kgWAgBQSwECFAMUAAAACACPcHddiUVZGE4AAAB9AAAAEQAAAAAAAAAAAAAAgAEAAAAA\r\n\
     d29yZC9kb2N1bWVudC54bWxQSwUGAAAAAAEAAQA/AAAAfQAAAAAA";
/// A page that says "An okapi in a document".
const PDF: &str = "JVBERi0xLjQKMSAwIG9iago8PCAvVHlwZSAvQ2F0YWxvZyAvUGFnZXMgMiAwIFIgPj4KZW5kb2Jq\r\n\
     CjIgMCBvYmoKPDwgL1R5cGUgL1BhZ2VzIC9LaWRzIFszIDAgUl0gL0NvdW50IDEgPj4KZW5kb2Jq\r\n\
     CjMgMCBvYmoKPDwgL1R5cGUgL1BhZ2UgL1BhcmVudCAyIDAgUiAvTWVkaWFCb3ggWzAgMCA2MTIg\r\n\
     NzkyXSAvQ29udGVudHMgNCAwIFIgL1Jlc291cmNlcyA8PCAvRm9udCA8PCAvRjEgNSAwIFIgPj4g\r\n\
     Pj4gPj4KZW5kb2JqCjQgMCBvYmoKPDwgL0xlbmd0aCA1MyA+PgpzdHJlYW0KQlQgL0YxIDEyIFRm\r\n\
     IDcyIDcwMCBUZCAoQW4gb2thcGkgaW4gYSBkb2N1bWVudCkgVGogRVQKZW5kc3RyZWFtCmVuZG9i\r\n\
     ago1IDAgb2JqCjw8IC9UeXBlIC9Gb250IC9TdWJ0eXBlIC9UeXBlMSAvQmFzZUZvbnQgL0hlbHZl\r\n\
     dGljYSA+PgplbmRvYmoKeHJlZgowIDYKMDAwMDAwMDAwMCA2NTUzNSBmIAowMDAwMDAwMDA5IDAw\r\n\
     MDAwIG4gCjAwMDAwMDAwNTggMDAwMDAgbiAKMDAwMDAwMDExNSAwMDAwMCBuIAowMDAwMDAwMjQx\r\n\
     IDAwMDAwIG4gCjAwMDAwMDAzNDQgMDAwMDAgbiAKdHJhaWxlcgo8PCAvU2l6ZSA2IC9Sb290IDEg\r\n\
     MCBSID4+CnN0YXJ0eHJlZgo0MTQKJSVFT0YK";

fn message(kind: &str, name: &str, body: &str) -> Vec<u8> {
    format!(
        "Subject: {name}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n\
         --q\r\nContent-Type: text/plain\r\n\r\nSee the attachment.\r\n--q\r\n\
         Content-Type: {kind}\r\nContent-Disposition: attachment; filename={name}\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{body}\r\n--q--\r\n"
    )
    .into_bytes()
}

fn check(server: &Server) {
    let mut imap = server.session("alice");
    imap.ok("SELECT INBOX");
    for (key, found) in [
        ("BODY zebrastreifen", " 1 2"),
        ("BODY \"streifen & mehr\"", " 1 2"),
        ("TEXT okapi", " 3"),
        ("BODY OKAPI BODY attachment", " 3"),
        ("NOT BODY okapi", " 1 2 4 5"),
        ("BODY quagga", ""),
    ] {
        let lines = imap.ok(&format!("SEARCH {key}"));
        assert!(lines.iter().any(|line| *line == format!("* SEARCH{found}")), "{key}: {lines:?}");
    }
}

#[test]
fn documents_are_searched() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    add_account(&data, "alice");
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    let word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    for (kind, name, body) in [
        (word, "a.docx", WORD),
        ("application/octet-stream", "b.DOCX", WORD),
        ("application/pdf", "c.pdf", PDF),
        ("application/pdf", "broken.pdf", &PDF[..200]),
        ("image/png", "not.docx", WORD),
    ] {
        imap.append("INBOX", &message(kind, name, body)).unwrap();
    }
    check(&server);
    cli_ok(&data, &["index", "rebuild"], "");
    check(&server);
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    drop(server);
    check(&Server::start(&data));
}
