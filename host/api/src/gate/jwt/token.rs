//! Taking a token apart (RFC 7515 7.1). Nothing in it is true before its signature is verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::config::JwtAlgorithm;

/// The longest token. Those of large organisations name dozens of groups; more fits into few headers.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// The longest name of a key; they are compared with each key of the issuer.
const MAX_KEY_ID_BYTES: usize = 256;
/// Kinds of tokens that are meant for servers like this one (RFC 9068 2.1). Others, such as those that end
/// a session, are signed with the same keys and say something else.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// A token, taken apart.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) algorithm: JwtAlgorithm,
    /// Which key is said to have signed it.
    pub(super) key_id: Option<String>,
    pub(super) claims: Map<String, Value>,
    /// What is signed.
    pub(super) message: &'a str,
    /// The signature, in base64.
    pub(super) signature: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: JwtAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    /// Takes `text` apart. The error says to operators what is wrong with it.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err("too long");
        }
        let (message, signature) = text.rsplit_once('.').ok_or("not three parts")?;
        let (header, claims) = message.split_once('.').ok_or("not three parts")?;
        let header: Header = json(header).ok_or("a header that this host does not take")?;
        header.check()?;
        Ok(Self {
            algorithm: header.alg,
            key_id: header.kid,
            claims: json(claims).ok_or("claims that are no JSON object")?,
            message,
            signature,
        })
    }
}

impl Header {
    fn check(&self) -> Result<(), &'static str> {
        // What must be understood and is not known here (RFC 7515 4.1.11).
        if self.crit.is_some() {
            return Err("critical extensions");
        }
        let is_one = |kind: &String| TYPES.contains(&kind.to_ascii_lowercase().as_str());
        if !self.typ.as_ref().is_none_or(is_one) {
            return Err("another type of token");
        }
        let kid = self.kid.as_ref().map_or(0, String::len);
        match kid > MAX_KEY_ID_BYTES {
            true => Err("a key id that is too long"),
            false => Ok(()),
        }
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    taskyard_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn with_header(header: &str) -> String {
        format!("{}.{}.c2ln", encoded(header), encoded("{}"))
    }

    #[test]
    fn headers_are_taken_or_not() {
        let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(257));
        for (header, taken) in [
            (r#"{"alg":"RS256"}"#, true),
            (r#"{"alg":"EdDSA","kid":"a","typ":"JWT"}"#, true),
            (r#"{"alg":"PS256","typ":"at+jwt"}"#, true),
            (r#"{"alg":"ES256","typ":"application/AT+JWT"}"#, true),
            (
                r#"{"alg":"ES256","x5c":["ignored"],"jku":"https://evil"}"#,
                true,
            ),
            (r#"{"alg":"none"}"#, false),
            (r#"{"alg":"None"}"#, false),
            (r#"{"alg":"HS256"}"#, false),
            (r#"{"alg":"RS512"}"#, true),
            (r#"{"alg":"ES384"}"#, true),
            (r#"{"alg":"HS512"}"#, false),
            (r#"{"alg":"ES512"}"#, false),
            (r#"{"alg":"ES256K"}"#, false),
            (r#"{"alg":"rs256"}"#, false),
            (r#"{"alg":["RS256"]}"#, false),
            (r#"{"kid":"a"}"#, false),
            (r#"{"alg":"ES256","alg":"none"}"#, false),
            (r#"{"alg":"ES256","typ":"logout+jwt"}"#, false),
            (r#"{"alg":"ES256","crit":["b64"],"b64":false}"#, false),
            (r#"{"alg":"ES256","kid":7}"#, false),
            (&long, false),
            ("[]", false),
            ("", false),
        ] {
            let token = with_header(header);
            assert_eq!(Token::parse(&token).is_ok(), taken, "{header}");
        }
    }

    #[test]
    fn a_name_that_was_cut_in_the_middle_of_a_character_costs_no_token() {
        let header = encoded(r#"{"alg":"ES256"}"#);
        let claims = encoded("\u{feff}{\"sub\":\"u\",\"name\":\"Zo\\ud83d\"}");
        let token = format!("{header}.{claims}.c2ln");
        let claims = Token::parse(&token).unwrap().claims;
        assert_eq!(claims["name"], "Zo\u{fffd}");
    }

    #[test]
    fn garbage_is_no_token() {
        let header = encoded(r#"{"alg":"ES256"}"#);
        let long = format!("{header}.{}.c2ln", encoded(&" ".repeat(MAX_TOKEN_BYTES)));
        for text in [
            "",
            ".",
            "..",
            "a.b.c",
            &header,
            &format!("{header}.{}", encoded("{}")),
            &format!("{header}.{}.a.b", encoded("{}")),
            &format!("{header}.{}.sig", encoded("[]")),
            &format!("{header}=.{}.sig", encoded("{}")),
            &format!("{header}.{}.sig", encoded("\u{0}")),
            &long,
        ] {
            assert!(Token::parse(text).is_err(), "{text:.40}");
        }
    }
}
