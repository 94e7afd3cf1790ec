//! Prints what IMAP tells of the messages in the files named: ENVELOPE, BODY, BODYSTRUCTURE.

use std::process::ExitCode;

fn main() -> ExitCode {
    for path in std::env::args().skip(1) {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("{path}: {error}");
                return ExitCode::FAILURE;
            }
        };
        let summary = message::summarize(&bytes, &base::Limits::default());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        println!("FILE {path}");
        println!("ENVELOPE {}", text(&summary.envelope(true)));
        println!("BODY {}", text(&summary.body(true)));
        println!("BODYSTRUCTURE {}", text(&summary.body_structure(true)));
    }
    ExitCode::SUCCESS
}
