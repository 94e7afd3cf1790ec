//! PDF, by `pdf-extract`.

/// The text of all pages. Whatever goes wrong, there is none.
pub(crate) fn text(bytes: &[u8]) -> String {
    // It panics on what it does not expect; the process is made for that, and for worse.
    let read = std::panic::catch_unwind(|| pdf_extract::extract_text_from_mem(bytes).ok());
    read.ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One page that says so.
    fn page(said: &str) -> Vec<u8> {
        let stream = format!("BT /F1 12 Tf 72 700 Td ({said}) Tj ET");
        let objects = [
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
             /Resources << /Font << /F1 5 0 R >> >> >>"
                .to_owned(),
            format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
        ];
        let mut out = b"%PDF-1.4\n".to_vec();
        let mut places = Vec::new();
        for (nth, object) in objects.iter().enumerate() {
            places.push(out.len());
            out.extend(format!("{} 0 obj\n{object}\nendobj\n", nth + 1).into_bytes());
        }
        let table = out.len();
        out.extend(b"xref\n0 6\n0000000000 65535 f \n");
        for place in places {
            out.extend(format!("{place:010} 00000 n \n").into_bytes());
        }
        let end = format!("trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n");
        out.extend(end.into_bytes());
        out
    }

    #[test]
    fn a_page() {
        let page = page("The Quick Zebra");
        assert!(text(&page).contains("The Quick Zebra"), "{:?}", text(&page));
        for bytes in [&b""[..], b"%PDF-1.4", &page[..page.len() / 2]] {
            assert!(!text(bytes).contains("Zebra") || bytes.len() > 300);
        }
    }
}
