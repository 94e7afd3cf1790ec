//! What SASL needs to know of a TLS connection.

use bytes::Bytes;
use rustls::{ProtocolVersion, ServerConnection};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// Facts of a connection after its handshake; `end_point` is [`end_point`] of the certificate that
/// the connection was accepted with.
pub fn facts(connection: &ServerConnection, end_point: Option<&Bytes>) -> auth::Tls {
    // RFC 9266 §4: with TLS 1.2 only if the extended master secret was negotiated. rustls does not
    // tell, so that TLS 1.2 connections have the binding to the certificate alone.
    let exports = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let export = || {
        let label = b"EXPORTER-Channel-Binding";
        connection.export_keying_material([0; 32], label, Some(b"")).ok()
    };
    // Without configured authorities no certificate is asked for; with them, one that does not
    // verify ends the handshake. What is here is verified.
    let client = connection.peer_certificates().and_then(<[_]>::first);
    auth::Tls {
        exporter: if exports { export() } else { None },
        end_point: end_point.cloned(),
        client_certificate: client.map(|der| Bytes::copy_from_slice(der)),
    }
}

/// The hash of a certificate (DER) for `tls-server-end-point`, by the hash function of its signature,
/// SHA-256 in place of MD5 and SHA-1; `None` where the signature has no such function (RFC 5929 §4.1).
pub fn end_point(certificate: &[u8]) -> Option<Bytes> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = &parsed.signature_algorithm;
    let oid = match SignatureAlgorithm::try_from(algorithm).ok()? {
        SignatureAlgorithm::RSASSA_PSS(parameters) => {
            parameters.hash_algorithm_oid().to_id_string()
        }
        _ => algorithm.algorithm.to_id_string(),
    };
    Some(match oid.as_str() {
        // md5, sha1 and sha256 with RSA; sha1 and sha256 with ECDSA; SHA-1 and SHA-256 for PSS.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2"
        | "1.3.14.3.2.26"
        | "2.16.840.1.101.3.4.2.1" => hash::<Sha256>(certificate),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.2.4" => {
            hash::<Sha224>(certificate)
        }
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => {
            hash::<Sha384>(certificate)
        }
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => {
            hash::<Sha512>(certificate)
        }
        // Ed25519 and what is not known.
        _ => return None,
    })
}

fn hash<D: Digest>(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&D::digest(bytes))
}
