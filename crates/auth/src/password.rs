//! Password hashes: argon2id for PLAIN and LOGIN, and SCRAM-SHA-256 keys derived beside it.

use std::fmt;

use argon2::password_hash::{Output, ParamsString, PasswordHash, Salt, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::Secret;
use crate::scratch::Scratch;
use crate::secret::equal;

/// How much work a hash takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// argon2id: memory in KiB.
    pub memory_kib: u32,
    /// argon2id: passes.
    pub passes: u32,
    /// SCRAM: PBKDF2 iterations. RFC 7677 §4: at least 4096.
    pub scram_iterations: u32,
}

impl Default for Cost {
    /// OWASP's minimum for argon2id (19 MiB, two passes, one lane); clients on small machines derive
    /// 10,000 SCRAM iterations in a few milliseconds.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, scram_iterations: 10_000 }
    }
}

impl Cost {
    fn argon2(self) -> Result<Argon2<'static>, CannotHash> {
        let params = Params::new(self.memory_kib, self.passes, 1, None)
            .map_err(|error| CannotHash(error.to_string()))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// argon2's output of `length` bytes.
fn hash(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: Salt<'_>,
    length: usize,
    scratch: &Scratch,
) -> argon2::password_hash::Result<Output> {
    let mut buffer = [0; 64];
    let salt = salt.decode_b64(&mut buffer)?;
    // What a check left in it is never read: argon2's first pass writes every block.
    let mut memory = scratch.piece(argon2.params().block_count());
    Output::init_with(length, |out| {
        Ok(argon2.hash_password_into_with_memory(password, salt, out, &mut memory.blocks)?)
    })
}

/// The hash can't be computed with these parameters.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot hash the password: {0}")]
pub struct CannotHash(String);

/// What SCRAM-SHA-256 keeps of a password (RFC 5802 §3).
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// Salt, as sent to the client.
    pub salt: Vec<u8>,
    /// PBKDF2 iterations.
    pub iterations: u32,
    /// H(HMAC(SaltedPassword, "Client Key"))
    pub stored_key: [u8; 32],
    /// HMAC(SaltedPassword, "Server Key")
    pub server_key: [u8; 32],
}

impl Drop for ScramKeys {
    fn drop(&mut self) {
        self.stored_key.zeroize();
        self.server_key.zeroize();
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// HMAC-SHA-256.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length, so that `new_from_slice` has nothing to refuse.
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes any key");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl ScramKeys {
    /// Derives the keys of a prepared password; slow.
    pub fn derive(password: &Secret, salt: &[u8], iterations: u32) -> Self {
        let mut salted = Zeroizing::new([0; 32]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password.expose(), salt, iterations.max(1), &mut *salted);
        let client_key = Zeroizing::new(hmac_sha256(&*salted, &[b"Client Key"]));
        Self {
            salt: salt.to_vec(),
            iterations,
            stored_key: Sha256::digest(*client_key).into(),
            server_key: hmac_sha256(&*salted, &[b"Server Key"]),
        }
    }
}

/// All that is kept of an account's password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// A PHC string of argon2: `$argon2id$v=19$m=…`.
    pub phc: String,
    /// Keys for SCRAM; absent for hashes imported from elsewhere.
    pub scram: Option<ScramKeys>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("scram", &self.scram).finish_non_exhaustive()
    }
}

impl Credential {
    /// Hashes a prepared password; takes tens of milliseconds and [`Cost::memory_kib`]. `random` is
    /// fresh for each password.
    pub fn derive(password: &Secret, cost: Cost, random: &[u8; 32]) -> Result<Self, CannotHash> {
        Self::derive_in(password, cost, random, &Scratch::default())
    }

    fn derive_in(
        password: &Secret,
        cost: Cost,
        random: &[u8; 32],
        scratch: &Scratch,
    ) -> Result<Self, CannotHash> {
        let (salt, scram_salt) = random.split_at(16);
        let salt = SaltString::encode_b64(salt).map_err(|error| CannotHash(error.to_string()))?;
        let cannot = |error: argon2::password_hash::Error| CannotHash(error.to_string());
        let argon2 = cost.argon2()?;
        let length = Params::DEFAULT_OUTPUT_LEN;
        let output = hash(&argon2, password.expose(), salt.as_salt(), length, scratch);
        let phc = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(argon2.params()).map_err(cannot)?,
            salt: Some(salt.as_salt()),
            hash: Some(output.map_err(cannot)?),
        };
        let phc = phc.to_string();
        let scram = ScramKeys::derive(password, scram_salt, cost.scram_iterations);
        Ok(Self { phc, scram: Some(scram) })
    }

    /// Whether a prepared password is this one; as slow as [`Credential::derive`]. False for a hash
    /// that can't be read.
    pub fn verify(&self, password: &Secret) -> bool {
        self.verify_in(password, &Scratch::default())
    }

    /// The same in memory that may be there.
    pub(crate) fn verify_in(&self, password: &Secret, scratch: &Scratch) -> bool {
        let Ok(phc) = PasswordHash::new(&self.phc) else { return false };
        // Parameters come from the hash itself. A hash that asks for gigabytes is not one of ours.
        let memory = phc.params.get_decimal("m").unwrap_or(0);
        let passes = phc.params.get_decimal("t").unwrap_or(0);
        if memory > MEMORY_KIB_MAX || passes > PASSES_MAX {
            return false;
        }
        let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else { return false };
        let version = phc.version.map_or(Ok(Version::V0x13), Version::try_from);
        let (Ok(algorithm), Ok(version), Ok(params)) =
            (Algorithm::try_from(phc.algorithm), version, Params::try_from(&phc))
        else {
            return false;
        };
        let argon2 = Argon2::new(algorithm, version, params);
        // `Output` compares in constant time.
        let found = hash(&argon2, password.expose(), salt, expected.len(), scratch);
        found.is_ok_and(|found| found == expected)
    }

    /// A credential that no password matches and that costs as much to check as a real one.
    pub(crate) fn impossible(
        cost: Cost,
        random: &[u8; 64],
        scratch: &Scratch,
    ) -> Result<Self, CannotHash> {
        let (password, salt) = random.split_at(32);
        let mut seed = [0; 32];
        seed.copy_from_slice(salt);
        let mut credential = Self::derive_in(&Secret::from(password), cost, &seed, scratch)?;
        credential.scram = None;
        Ok(credential)
    }
}

/// The largest memory of a hash that is checked, in KiB: 1 GiB.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
/// The most passes of a hash that is checked.
const PASSES_MAX: u32 = 64;

/// Whether `proof` and `signature` prove the key behind `stored_key` (RFC 5802 §3).
pub(crate) fn proves(stored_key: &[u8; 32], signature: &[u8; 32], proof: &[u8]) -> bool {
    if proof.len() != 32 {
        return false;
    }
    let mut client_key = Zeroizing::new([0; 32]);
    for ((key, proof), signature) in client_key.iter_mut().zip(proof).zip(signature) {
        *key = proof ^ signature;
    }
    let digest: [u8; 32] = Sha256::digest(*client_key).into();
    equal(&digest, stored_key)
}

#[cfg(test)]
pub(crate) const TEST_COST: Cost = Cost { memory_kib: 64, passes: 1, scram_iterations: 4096 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_check_left_changes_no_verdict() {
        let scratch = Scratch::default();
        let other = Cost { memory_kib: 128, ..TEST_COST };
        let derive = |word: &[u8], cost| Credential::derive(&Secret::from(word), cost, &[7; 32]);
        let (small, large) =
            (derive(b"small", TEST_COST).unwrap(), derive(b"large", other).unwrap());
        for _ in 0..3 {
            for (credential, own) in [(&small, &b"small"[..]), (&large, &b"large"[..])] {
                for word in [&b"small"[..], &b"large"[..], &b"neither"[..]] {
                    let verdict = credential.verify_in(&Secret::from(word), &scratch);
                    assert_eq!(verdict, word == own);
                }
            }
        }
    }

    #[test]
    fn a_password_matches_only_itself() {
        let credential =
            Credential::derive(&Secret::from(&b"secret"[..]), TEST_COST, &[7; 32]).unwrap();
        assert!(credential.verify(&Secret::from(&b"secret"[..])));
        assert!(!credential.verify(&Secret::from(&b"Secret"[..])));
        assert!(!credential.verify(&Secret::from(&b""[..])));
        assert!(credential.phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let keys = credential.scram.as_ref().unwrap();
        assert_eq!((keys.salt.len(), keys.iterations), (16, 4096));
    }

    /// Hashes from elsewhere: the vectors of the reference implementation, with other parameters.
    #[test]
    fn hashes_of_others_are_checked() {
        let password = Secret::from(&b"password"[..]);
        for phc in [
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        ] {
            let credential = Credential { phc: phc.to_owned(), scram: None };
            assert!(credential.verify(&password), "{phc}");
            assert!(!credential.verify(&Secret::from(&b"differentpassword"[..])), "{phc}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let credential =
            Credential::derive(&Secret::from(&b"secret"[..]), TEST_COST, &[7; 32]).unwrap();
        let shown = format!("{credential:?} {:?}", Secret::from(&b"hunter2"[..]));
        assert!(!shown.contains("argon2") && !shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("key"), "{shown}");
    }

    #[test]
    fn odd_hashes_match_nothing() {
        let password = Secret::from(&b"x"[..]);
        for phc in [
            "",
            "$",
            "x",
            "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=4294967295,p=1$AAAAAAAAAAA$AAAAAAAAAAA",
            "$1$salt$hash",
            "$scrypt$ln=4$AAAAAAAAAAA$AAAAAAAAAAA",
        ] {
            let credential = Credential { phc: phc.to_owned(), scram: None };
            assert!(!credential.verify(&password), "{phc}");
        }
    }

    #[test]
    fn the_impossible_credential_matches_nothing() {
        let credential = Credential::impossible(TEST_COST, &[1; 64], &Scratch::default()).unwrap();
        assert!(!credential.verify(&Secret::from(&b""[..])));
        assert!(credential.scram.is_none());
    }
}
