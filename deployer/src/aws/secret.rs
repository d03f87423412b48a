//! Secrets: values that cannot be printed, serialised or compared, and how new ones are made.

/// A secret value. It has no `Debug`, `Display`, `Serialize` or `PartialEq`, so that it reaches no terminal, plan,
/// history, log or error by accident.
///
/// ```compile_fail
/// println!("{:?}", wharf::aws::secret::Secret::new("hunter2"));
/// ```
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Keeps a value secret from here on.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one call that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

/// The system has no randomness to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// What generated passwords are made of: every printable ASCII character that needs no care in a URL, a shell or a
/// connection string. RDS refuses `/`, `@`, `"` and space in a master password.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A new password of so many characters, six bits of randomness each.
///
/// # Errors
/// The system has no randomness to give.
pub fn generate(length: usize) -> Result<Secret<String>, NoRandomness> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(spell(&bytes))
}

/// 64 characters and six bits of each byte: none is likelier than another.
fn spell(bytes: &[u8]) -> Secret<String> {
    Secret::new(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_its_length_and_no_character_that_rds_refuses() {
        let everything: Vec<u8> = (0..=255).collect();
        assert!(!spell(&everything).expose().contains(['/', '@', '"', ' ', '\'', '\\']));
        assert_eq!(generate(40).unwrap().expose().chars().count(), 40);
    }

    #[test]
    fn two_passwords_differ() {
        assert!(generate(40).unwrap().expose() != generate(40).unwrap().expose());
    }

    #[test]
    fn every_character_is_as_likely_as_another() {
        let everything: Vec<u8> = (0..=255).collect();
        let password = spell(&everything);
        for character in ALPHABET {
            assert_eq!(password.expose().bytes().filter(|byte| byte == character).count(), 4);
        }
    }
}
