//! The messages of SCRAM (RFC 5802 §7).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest message a client may send.
pub(super) const MESSAGE_BYTES_MAX: usize = 4096;

/// What the client says of channel binding in its first message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Binding<'a> {
    /// `n`: the client does not support it.
    Unsupported,
    /// `y`: the client supports it, but thinks that the server does not.
    NotOffered,
    /// `p=`: this type is used.
    Used(&'a str),
}

/// The client's first message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ClientFirst<'a> {
    /// With the comma at its end; part of the channel binding input.
    pub(super) gs2_header: &'a str,
    pub(super) binding: Binding<'a>,
    /// Decoded; empty if absent.
    pub(super) authorize: String,
    /// Decoded.
    pub(super) user: String,
    pub(super) nonce: &'a str,
    /// What is signed.
    pub(super) bare: &'a str,
}

/// The client's final message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ClientFinal<'a> {
    /// Decoded `c=`: the GS2 header and the channel's data.
    pub(super) binding: Vec<u8>,
    pub(super) nonce: &'a str,
    /// Decoded `p=`.
    pub(super) proof: Vec<u8>,
    /// What is signed.
    pub(super) without_proof: &'a str,
}

/// The value of `part` if it is the attribute `key`; never empty.
fn attribute<'a>(part: &'a str, key: &str) -> Result<&'a str, &'static str> {
    match part.strip_prefix(key) {
        Some(value) if !value.is_empty() && !value.contains('\0') => Ok(value),
        _ => Err("a SCRAM attribute is missing or out of place"),
    }
}

/// `saslname`: `=2C` for a comma, `=3D` for an equals sign, and no other equals sign.
fn saslname(text: &str) -> Result<String, &'static str> {
    let mut name = String::with_capacity(text.len());
    let mut pieces = text.split('=');
    name.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        if let Some(rest) = piece.strip_prefix("2C") {
            name.push(',');
            name.push_str(rest);
        } else if let Some(rest) = piece.strip_prefix("3D") {
            name.push('=');
            name.push_str(rest);
        } else {
            return Err("a SCRAM name with a bare equals sign");
        }
    }
    Ok(name)
}

/// `nonce`: printable ASCII without commas.
fn nonce(value: &str) -> Result<&str, &'static str> {
    match value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
        true => Ok(value),
        false => Err("a SCRAM nonce with an unprintable character"),
    }
}

/// Further attributes, which are ignored, have the form of attributes.
fn extension(part: &str) -> Result<(), &'static str> {
    let bytes = part.as_bytes();
    match bytes {
        [letter, b'=', _, ..] if letter.is_ascii_alphabetic() && !bytes.contains(&0) => Ok(()),
        _ => Err("a SCRAM extension that is no attribute"),
    }
}

fn text(message: &[u8]) -> Result<&str, &'static str> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err("a SCRAM message that is too long");
    }
    std::str::from_utf8(message).map_err(|_| "a SCRAM message that is not UTF-8")
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, &'static str> {
        let message = text(message)?;
        let short = "a SCRAM message that ends too early";
        let (flag, rest) = message.split_once(',').ok_or(short)?;
        let (authorize, bare) = rest.split_once(',').ok_or(short)?;
        let binding = match flag {
            "n" => Binding::Unsupported,
            "y" => Binding::NotOffered,
            _ => Binding::Used(attribute(flag, "p=")?),
        };
        let authorize = match authorize {
            "" => String::new(),
            _ => saslname(attribute(authorize, "a=")?)?,
        };
        let mut parts = bare.split(',');
        let user = parts.next().ok_or(short)?;
        if user.starts_with("m=") {
            return Err("a mandatory SCRAM extension that is not supported");
        }
        let user = saslname(attribute(user, "n=")?)?;
        let nonce = nonce(attribute(parts.next().ok_or(short)?, "r=")?)?;
        parts.try_for_each(extension)?;
        let gs2_header = &message[..message.len() - bare.len()];
        Ok(Self { gs2_header, binding, authorize, user, nonce, bare })
    }
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, &'static str> {
        let message = text(message)?;
        let (without_proof, proof) =
            message.rsplit_once(',').ok_or("a SCRAM message that ends too early")?;
        let decode = |value: &str| STANDARD.decode(value).map_err(|_| "broken base64 in SCRAM");
        let proof = decode(attribute(proof, "p=")?)?;
        let mut parts = without_proof.split(',');
        let binding = decode(attribute(parts.next().unwrap_or_default(), "c=")?)?;
        let nonce = nonce(attribute(parts.next().unwrap_or_default(), "r=")?)?;
        parts.try_for_each(extension)?;
        Ok(Self { binding, nonce, proof, without_proof })
    }
}

/// `r=…,s=…,i=…`
pub(super) fn server_first(nonce: &str, salt: &[u8], iterations: u32) -> String {
    format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt))
}

/// `v=…`
pub(super) fn server_final(signature: &[u8]) -> String {
    format!("v={}", STANDARD.encode(signature))
}

/// The server's part of a nonce from random bytes.
pub(super) fn nonce_from(random: &[u8]) -> String {
    STANDARD.encode(random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn first_messages() {
        let first = ClientFirst::parse(b"p=tls-exporter,a=o=2C=3D,n=u=3Dx,r=abc,x=1").unwrap();
        assert_eq!(first.gs2_header, "p=tls-exporter,a=o=2C=3D,");
        assert_eq!(first.binding, Binding::Used("tls-exporter"));
        assert_eq!((first.authorize.as_str(), first.user.as_str()), ("o,=", "u=x"));
        assert_eq!((first.nonce, first.bare), ("abc", "n=u=3Dx,r=abc,x=1"));
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,n=user,",
            "n,,n=user,r=",
            "n,,n=,r=abc",
            "n,,r=abc,n=user",
            "n,,m=x,n=user,r=abc",
            "x,,n=user,r=abc",
            "p,,n=user,r=abc",
            "p=,,n=user,r=abc",
            "n,b=x,n=user,r=abc",
            "n,a=,n=user,r=abc",
            "n,,n=us=er,r=abc",
            "n,,n=us=2cer,r=abc",
            "n,,n=us\0er,r=abc",
            "n,,n=user,r=a c",
            "n,,n=user,r=a\u{e9}c",
            "n,,n=user,r=abc,",
            "n,,n=user,r=abc,x",
            "n,,n=user,r=abc,=1",
            "F,n,,n=user,r=abc",
        ] {
            assert!(ClientFirst::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(ClientFirst::parse(b"n,,n=\xff,r=abc").is_err());
    }

    #[test]
    fn final_messages() {
        let last = ClientFinal::parse(b"c=biws,r=abc,x=1,p=AAAA").unwrap();
        assert_eq!(last.binding, b"n,,");
        assert_eq!((last.nonce, last.proof.len()), ("abc", 3));
        assert_eq!(last.without_proof, "c=biws,r=abc,x=1");
        for bad in [
            "",
            ",",
            "c=biws,r=abc",
            "c=biws,r=abc,p=",
            "c=biws,r=abc,p=!",
            "c=biws,p=AAAA",
            "r=abc,c=biws,p=AAAA",
            "c=b,r=abc,p=AAAA",
            "c=biws,r=,p=AAAA",
            "c=biws,r=abc,p=AAAA,x=1",
            "c=biws,r=abc,y,p=AAAA",
            "c=biws,r=abc,p=AAA",
            "*",
        ] {
            assert!(ClientFinal::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes in prop::collection::vec(any::<u8>(), 0..80),
                                text in "[nypcrasmx=,2CD3 A]{0,40}") {
            for message in [&bytes[..], text.as_bytes()] {
                let _ = ClientFinal::parse(message);
                if let Ok(first) = ClientFirst::parse(message) {
                    let whole = [first.gs2_header, first.bare].concat();
                    prop_assert_eq!(whole.as_bytes(), message);
                }
            }
        }
    }
}
