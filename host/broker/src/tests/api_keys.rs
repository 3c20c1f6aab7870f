//! API keys: what is kept of them, and that nothing brings a dead one back.

use taskyard_task::AccessScope;
use taskyard_task::api_key::{MAX_API_KEYS, read_api_key_id};

use super::*;

fn new(name: &str) -> NewApiKey {
    NewApiKey {
        tenant: "acme".parse().unwrap(),
        name: name.to_owned(),
        scope: AccessScope {
            agents: Some(vec![agent()]),
            read_only: true,
        },
        lifetime_ms: Some(1_000),
    }
}

#[tokio::test]
async fn a_key_is_kept_without_its_text() {
    let yard = Yard::new(Config::default()).await;
    let made = yard.broker.make_api_key(new("ci")).await.unwrap();
    assert_eq!(read_api_key_id(&made.text), Some(made.key.id));
    assert_eq!(
        made.key.digest,
        taskyard_task::Digest::of(made.text.as_bytes())
    );
    assert_eq!(
        made.key.expires_at,
        Some(yard.clock.now().plus_millis(1_000))
    );
    assert!(!format!("{made:?}").contains(&made.text));
    let other = yard.broker.make_api_key(new("ci")).await.unwrap();
    assert_ne!(made.text, other.text);
    assert_eq!(yard.broker.api_keys().get(&made.key.id), Some(&made.key));
}

#[tokio::test]
async fn keys_and_revocations_survive_a_restart() {
    let yard = Yard::new(Config::default()).await;
    let kept = yard.broker.make_api_key(new("kept")).await.unwrap().key;
    let gone = yard.broker.make_api_key(new("gone")).await.unwrap().key;
    let revoked = yard.broker.revoke_api_key(gone.id).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(yard.clock.now()));
    yard.clock.advance(Duration::from_secs(1));
    let again = yard.broker.revoke_api_key(gone.id).await.unwrap();
    assert_eq!(again, revoked, "the first revocation counts");

    let yard = yard.restart().await;
    let keys = yard.broker.api_keys();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys.get(&kept.id), Some(&kept));
    assert_eq!(keys.get(&gone.id), Some(&revoked));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let yard = Yard::new(Config::default()).await;
    let nobody = NewApiKey {
        scope: AccessScope {
            agents: Some(Vec::new()),
            read_only: false,
        },
        ..new("x")
    };
    let dead = NewApiKey {
        lifetime_ms: Some(0),
        ..new("x")
    };
    let long = "x".repeat(129);
    for wrong in [new(""), new("a\nb"), new(&long), nobody, dead] {
        let refused = yard.broker.make_api_key(wrong).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
    let id = taskyard_task::ApiKeyId::from_bytes([0; 8]);
    let unknown = yard.broker.revoke_api_key(id).await;
    assert!(matches!(unknown, Err(Error::ApiKeyNotFound)));
    assert!(yard.broker.api_keys().is_empty());
}

#[tokio::test]
async fn at_the_limit_the_dead_make_room_for_the_living() {
    let yard = Yard::new(Config::default()).await;
    let forever = NewApiKey {
        lifetime_ms: None,
        ..new("x")
    };
    let many = (0..MAX_API_KEYS).map(|_| yard.broker.make_api_key(forever.clone()));
    let made = futures::future::try_join_all(many).await.unwrap();
    let full = yard.broker.make_api_key(forever.clone()).await;
    assert!(matches!(full, Err(Error::TooManyApiKeys { .. })));

    let oldest = made[7].key.id;
    yard.broker.revoke_api_key(oldest).await.unwrap();
    yard.clock.advance(Duration::from_secs(1));
    yard.broker.revoke_api_key(made[3].key.id).await.unwrap();
    yard.broker.make_api_key(forever).await.unwrap();
    let keys = yard.broker.api_keys();
    assert_eq!(keys.len(), MAX_API_KEYS);
    assert!(!keys.contains_key(&oldest) && keys.contains_key(&made[3].key.id));
}
