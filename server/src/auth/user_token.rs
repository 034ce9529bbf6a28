//! User tokens: JSON Web Tokens (RFC 7519, HS256) that a shop's backend signs, so that a browser
//! may ask for its own shopper only.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use super::{Action, Key, Keys};

/// Maximum time until a token expires, in seconds: a token cannot be revoked by itself.
const MAX_LIFETIME: u64 = 24 * 3600;

/// Actions that tokens may grant, if their key does.
const ACTIONS: [Action; 2] = [Action::Read, Action::Write];

/// Limits of the requests with a user token.
#[derive(Debug, Clone, PartialEq)]
pub struct UserToken {
    /// The only user that requests may name.
    pub user: String,
    /// The only session that requests may name.
    pub session: Option<String>,
    /// Filter that all items of responses match.
    pub filter: Option<String>,
}

/// Claims of a token.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    #[serde(default)]
    session: Option<String>,
    #[serde(default)]
    filter: Option<String>,
    #[serde(default)]
    collections: Option<Vec<String>>,
}

/// Returns true for a secret that has the form of a token: three parts with dots between.
pub fn is_token(secret: &str) -> bool {
    secret.split('.').count() == 3
}

/// Verifies a token; returns the key that signed it, with no more than the token grants, and the
/// limits.
///
/// # Errors
/// The reason why it is not valid.
pub fn verify(token: &str, keys: &Keys) -> Result<(Key, UserToken), String> {
    let header = decode_header(token).map_err(|e| e.to_string())?;
    if has_critical_extensions(token) {
        return Err("expected no `crit` in the header: no extensions are supported".into());
    }
    let name = header
        .kid
        .ok_or("expected the name of a key in the header `kid`")?;
    let key = keys
        .keys
        .iter()
        .find(|key| key.name == name && key.is_valid());
    let key = key.ok_or("no key has the name in the header `kid`")?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.set_required_spec_claims(&["exp", "sub"]);
    let decoded = key.token_secrets().map(|secret| {
        let secret = DecodingKey::from_secret(secret.as_bytes());
        decode::<Claims>(token, &secret, &validation)
    });
    let decoded = decoded.reduce(|first, next| first.or_else(|e| next.map_err(|_| e))).ok_or(
        "the key in the header `kid` signs no tokens; create one with `keys create --sign-tokens`",
    )?;
    let claims = decoded.map_err(|e| e.to_string())?.claims;
    let now = u64::try_from(Utc::now().timestamp()).unwrap_or(0);
    if claims.exp > now + MAX_LIFETIME {
        return Err(format!(
            "expected `exp` at most {MAX_LIFETIME} seconds from now"
        ));
    }
    if claims.sub.is_empty() {
        return Err("expected the id of the user in `sub`, got an empty text".into());
    }
    let mut key = key.clone();
    key.actions.retain(|action| ACTIONS.contains(action));
    if let Some(collections) = claims.collections {
        key.collections = collections.into_iter().filter(|c| key.covers(c)).collect();
    }
    let token = UserToken {
        user: claims.sub,
        session: claims.session,
        filter: claims.filter.filter(|filter| !filter.trim().is_empty()),
    };
    Ok((key, token))
}

/// Returns true if the header of a token names extensions that the reader must understand (RFC
/// 7515, section 4.1.11).
fn has_critical_extensions(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    header.get("crit").is_some()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    fn keys() -> Keys {
        let (mut key, _) = Key::create(
            "web".into(),
            vec![Action::Read, Action::Admin],
            vec!["*".into()],
        )
        .expect("a key");
        key.sign_tokens().expect("random bytes");
        Keys { keys: vec![key] }
    }

    fn sign(keys: &Keys, kid: &str, claims: &Value) -> String {
        let secret = keys.keys[0].token_secret.clone().expect("a secret");
        let header = Header {
            kid: Some(kid.to_owned()),
            ..Header::default()
        };
        encode(
            &header,
            claims,
            &EncodingKey::from_secret(secret.as_bytes()),
        )
        .expect("signed")
    }

    fn soon() -> i64 {
        Utc::now().timestamp() + 60
    }

    #[test]
    fn a_token_grants_no_more_than_its_key_and_its_claims() {
        let keys = keys();
        let claims =
            json!({"sub": "u1", "exp": soon(), "filter": "brand = Acme", "collections": ["shop"]});
        let (key, token) = verify(&sign(&keys, "web", &claims), &keys).expect("valid");
        assert_eq!(key.actions, [Action::Read], "never admin");
        assert!(key.covers("shop") && !key.covers("other"));
        assert_eq!((token.user.as_str(), token.session), ("u1", None));
        assert_eq!(token.filter.as_deref(), Some("brand = Acme"));
        let star = json!({"sub": "u1", "exp": soon(), "collections": ["*"]});
        let mut narrow = keys.clone();
        narrow.keys[0].collections = vec!["shop".into()];
        let (key, _) = verify(&sign(&narrow, "web", &star), &narrow).expect("valid");
        assert!(!key.covers("other") && !key.covers_all());
    }

    #[test]
    fn wrong_tokens_are_refused_with_the_reason() {
        let keys = keys();
        let valid = json!({"sub": "u1", "exp": soon()});
        let refused = |token: &str| verify(token, &keys).expect_err("refused");
        assert!(refused(&sign(&keys, "other", &valid)).contains("kid"));
        for (claims, reason) in [
            (json!({"sub": "u1", "exp": soon() - 120}), "Expired"),
            (json!({"sub": "u1", "exp": soon() + 90_000}), "at most"),
            (json!({"sub": "", "exp": soon()}), "empty"),
            (json!({"exp": soon()}), "sub"),
            (json!({"sub": "u1"}), "exp"),
        ] {
            let found = refused(&sign(&keys, "web", &claims));
            assert!(found.contains(reason), "{claims}: {found}");
        }
        let other = self::keys();
        assert!(refused(&sign(&other, "web", &valid)).contains("Signature"));
        let critical = json!({"alg": "HS256", "kid": "web", "crit": ["b64"], "b64": false});
        let critical = URL_SAFE_NO_PAD.encode(critical.to_string());
        assert!(refused(&format!("{critical}.e30.")).contains("crit"));
        let unsigned = "eyJhbGciOiJub25lIiwia2lkIjoid2ViIn0.eyJzdWIiOiJ1MSJ9.";
        assert!(verify(unsigned, &keys).is_err(), "no algorithm");
        for text in ["a.b.c", "..", "vitrine_123"] {
            assert!(verify(text, &keys).is_err(), "{text}");
        }
        let mut unable = keys.clone();
        unable.keys[0].token_secret = None;
        let refused = verify(&sign(&keys, "web", &valid), &unable).expect_err("refused");
        assert!(refused.contains("--sign-tokens"), "{refused}");
    }

    #[test]
    fn tokens_of_the_secret_before_a_rotation_are_accepted_during_the_overlap() {
        let mut keys = keys();
        let claims = json!({"sub": "u1", "exp": soon()});
        let old = sign(&keys, "web", &claims);
        for (hours, is_accepted) in [(1, true), (0, false)] {
            keys.keys[0]
                .rotate(chrono::TimeDelta::hours(hours))
                .expect("random bytes");
            assert_eq!(verify(&old, &keys).is_ok(), is_accepted, "{hours}");
            assert!(verify(&sign(&keys, "web", &claims), &keys).is_ok());
        }
    }
}
