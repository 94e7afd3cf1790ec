//! Office Open XML (ECMA-376) and OpenDocument (ISO 26300): XML in a ZIP archive.

use std::io::{BufReader, Cursor, Read};

use message::search::DocumentKind;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::Bounds;

/// The text of the parts that hold some, in the archive's order. What cannot be read ends it.
pub(crate) fn text(kind: DocumentKind, bytes: &[u8], bounds: &Bounds) -> String {
    let mut out = String::new();
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else { return out };
    let mut left = bounds.unpacked_bytes_max;
    for nth in 0..archive.len().min(bounds.parts_max) {
        let Ok(part) = archive.by_index(nth) else { continue };
        if !part.name().is_ok_and(|name| holds_text(kind, &name)) {
            continue;
        }
        let mut limited = part.take(left);
        read(kind, &mut limited, bounds.text_bytes_max, &mut out);
        left = limited.limit();
        if left == 0 || out.len() >= bounds.text_bytes_max {
            break;
        }
        out.push('\n');
    }
    out
}

fn holds_text(kind: DocumentKind, name: &str) -> bool {
    if kind == DocumentKind::OpenDocument {
        return name == "content.xml";
    }
    let Some((directory, file)) = name.rsplit_once('/') else { return false };
    if !file.ends_with(".xml") {
        return false;
    }
    match directory {
        "word" => ["document", "header", "footer", "footnotes", "endnotes", "comments"]
            .iter()
            .any(|part| file.starts_with(part)),
        "xl" => file == "sharedStrings.xml",
        "xl/worksheets" | "ppt/slides" | "ppt/notesSlides" => true,
        _ => false,
    }
}

/// What separates words.
fn is_break(local: &str) -> bool {
    matches!(
        local,
        "p" | "h"
            | "br"
            | "cr"
            | "tab"
            | "tc"
            | "tr"
            | "si"
            | "is"
            | "c"
            | "row"
            | "s"
            | "line-break"
            | "table-cell"
            | "table-row"
    )
}

fn read(kind: DocumentKind, part: impl Read, most: usize, out: &mut String) {
    let mut reader = Reader::from_reader(BufReader::new(part));
    let mut buffer = Vec::new();
    // In Office Open XML text is in elements called `t`, and numbers in `v`; elsewhere everywhere.
    let mut within = u32::from(kind == DocumentKind::OpenDocument);
    while out.len() < most {
        buffer.clear();
        let Ok(event) = reader.read_event_into(&mut buffer) else { return };
        match event {
            Event::Start(element) => within += u32::from(is_text(kind, &local(&element.name()))),
            Event::End(element) => {
                let local = local(&element.name());
                within -= u32::from(is_text(kind, &local)).min(within);
                if is_break(&local) {
                    out.push('\n');
                }
            }
            Event::Empty(element) if is_break(&local(&element.name())) => out.push(' '),
            Event::Text(text) if within > 0 => out.push_str(&text.xml10_content()),
            Event::CData(text) if within > 0 => out.push_str(&text.xml10_content()),
            Event::GeneralRef(name) if within > 0 => out.extend(reference(&name.xml10_content())),
            Event::Eof => return,
            _ => {}
        }
    }
}

fn local(name: &quick_xml::name::QName<'_>) -> String {
    let name: &[u8] = name.as_ref().as_ref();
    let local = name.rsplit(|&byte| byte == b':').next().unwrap_or_default();
    String::from_utf8_lossy(local).into_owned()
}

fn is_text(kind: DocumentKind, local: &str) -> bool {
    kind == DocumentKind::OfficeOpen && matches!(local, "t" | "v")
}

/// The character of `&name;`: XML has five names.
fn reference(name: &str) -> Option<char> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok();
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix('x') {
                Some(digits) => number(digits, 16),
                None => number(digits, 10),
            };
            number.and_then(char::from_u32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in parts {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn documents() {
        let word = archive(&[
            ("word/styles.xml", "<w:t>not this</w:t>"),
            (
                "word/document.xml",
                "<w:document><w:p><w:r><w:t>Gr\u{fc}\u{df}e &amp; Zeb</w:t></w:r><w:r>\
                 <w:t>ra</w:t></w:r></w:p><w:p><w:instrText>HIDE</w:instrText>\
                 <w:t>second</w:t></w:p></w:document>",
            ),
        ]);
        let sheet = archive(&[
            ("xl/sharedStrings.xml", "<sst><si><t>Quagga</t></si><si><t>x</t></si></sst>"),
            ("xl/worksheets/sheet1.xml", "<row><c><v>4711</v></c><c><v>12</v></c></row>"),
        ]);
        let open = archive(&[(
            "content.xml",
            "<office:body><text:p>Ok<text:span>api</text:span><text:s/>here&#33;</text:p>\
             <text:p>next</text:p></office:body>",
        )]);
        let bounds = Bounds::default();
        for (kind, bytes, expected) in [
            (DocumentKind::OfficeOpen, &word, "Gr\u{fc}\u{df}e & Zebra\nsecond\n"),
            (DocumentKind::OfficeOpen, &sheet, "Quagga\nx\n\n4711\n12\n\n"),
            (DocumentKind::OpenDocument, &open, "Okapi here!\nnext\n"),
        ] {
            assert_eq!(text(kind, bytes, &bounds).trim_end(), expected.trim_end());
            for end in [0, 1, bytes.len() / 2, bytes.len() - 1] {
                text(kind, &bytes[..end], &bounds);
            }
        }
    }

    #[test]
    fn a_bomb_is_cut() {
        let bomb =
            "<w:p>".to_owned() + &"<w:t>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</w:t>".repeat(50_000);
        let bytes = archive(&[("word/document.xml", &bomb)]);
        assert!(bytes.len() < 20_000);
        let bounds = Bounds { unpacked_bytes_max: 10_000, ..Bounds::default() };
        let all = text(DocumentKind::OfficeOpen, &bytes, &bounds);
        assert!(all.len() < 10_000 && !all.is_empty());
        let bounds = Bounds { text_bytes_max: 1000, ..Bounds::default() };
        assert_eq!(crate::text(DocumentKind::OfficeOpen, &bytes, &bounds).len(), 1000);
    }
}
