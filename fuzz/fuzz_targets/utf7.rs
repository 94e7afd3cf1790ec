//! Modified UTF-7: one form a name, both ways.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::utf7;

fuzz_target!(|input: &[u8]| {
    if let Some(name) = utf7::decode(input) {
        assert_eq!(utf7::encode(&name).as_bytes(), input);
    }
    if let Ok(name) = std::str::from_utf8(input) {
        let encoded = utf7::encode(name);
        assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let expected = if name.contains('\0') { None } else { Some(name) };
        assert_eq!(utf7::decode(encoded.as_bytes()).as_deref(), expected);
    }
});
