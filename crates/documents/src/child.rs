//! The process that reads documents: requests on standard input, answers on standard output.
//!
//! ```text
//! request  kind (1 byte), length (8 bytes, little-endian), the document
//! answer   length (8 bytes, little-endian), its text
//! ```

use std::io::{self, Read, Write};

use message::search::DocumentKind;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{Bounds, text};

/// Memory of the process, in bytes: a document, what it unpacks to, its text, some times over.
const MEMORY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Processor time of its whole life, in seconds: should whoever started it not end it.
const CPU_SECONDS_MAX: u64 = 600;
/// Documents are read from strangers' hands: no more than this is believed of a length.
const DOCUMENT_BYTES_MAX: u64 = 1 << 30;

/// The kinds by their numbers.
const KINDS: [DocumentKind; 3] =
    [DocumentKind::Pdf, DocumentKind::OfficeOpen, DocumentKind::OpenDocument];

/// Gives up what is not needed to read documents. As far as the system lets it.
fn confine() {
    let limit = |resource, most| {
        let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    };
    limit(Resource::As, MEMORY_BYTES_MAX);
    limit(Resource::Cpu, CPU_SECONDS_MAX);
    limit(Resource::Core, 0);
    limit(Resource::Fsize, 0);
    limit(Resource::Nofile, 3);
    limit(Resource::Nproc, 0);
    let _ = rustix::process::setpriority_process(None, 19);
}

/// Answers until its input ends.
pub fn run() -> io::Result<()> {
    confine();
    // What a library says in its panic belongs to nobody.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    while let Some((kind, bytes)) = read_request(&mut input)? {
        write_answer(&mut output, text(kind, &bytes, &Bounds::default()).as_bytes())?;
    }
    Ok(())
}

/// Writes a request.
pub fn write_request(to: &mut impl Write, kind: DocumentKind, bytes: &[u8]) -> io::Result<()> {
    let number = KINDS.iter().position(|known| *known == kind).unwrap_or_default() as u8;
    to.write_all(&[number])?;
    write_answer(to, bytes)
}

fn read_request(from: &mut impl Read) -> io::Result<Option<(DocumentKind, Vec<u8>)>> {
    let mut number = [0];
    if from.read(&mut number)? == 0 {
        return Ok(None);
    }
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let kind = *KINDS.get(usize::from(number[0])).ok_or_else(wrong)?;
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > DOCUMENT_BYTES_MAX {
        return Err(wrong());
    }
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length { Err(wrong()) } else { Ok(Some((kind, bytes))) }
}

fn write_answer(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_written() {
        let mut bytes = Vec::new();
        for kind in KINDS {
            write_request(&mut bytes, kind, b"content").unwrap();
        }
        let mut from = &bytes[..];
        for kind in KINDS {
            assert_eq!(read_request(&mut from).unwrap(), Some((kind, b"content".to_vec())));
        }
        assert_eq!(read_request(&mut from).unwrap(), None);
        for bad in [&b"\x09"[..], b"\0\x08", b"\0\xff\xff\xff\xff\xff\xff\xff\xff", &bytes[..12]] {
            assert!(read_request(&mut &bad[..]).is_err());
        }
    }
}
