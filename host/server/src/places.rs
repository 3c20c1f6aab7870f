//! Who has a connection to a door: not more than the files allow, and nobody all of them.
//!
//! If there is no place, the connection that is the most dispensable gives its up: one that never asked for
//! anything, or that has been idle for longest. If all of them are answered, the new one is refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;

/// How long a new connection waits for one that gives its place up; that one is only dropped.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many connections a door has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// In all.
    pub(crate) most: usize,
    /// From one address.
    pub(crate) most_per_address: usize,
}

/// The connections of a door.
#[derive(Debug)]
pub(crate) struct Places {
    room: Room,
    connections: Mutex<Connections>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    by_number: HashMap<u64, Connection>,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Connection {
    address: IpAddr,
    activity: Activity,
    /// Cancelled when it is to go.
    go: CancellationToken,
}

/// The place of one connection, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    /// What the connection is doing.
    pub(crate) activity: Activity,
    /// Cancelled when somebody else needs the place more.
    pub(crate) go: CancellationToken,
}

/// What came of a look for a place.
enum Look {
    Found(Place),
    /// Somebody is about to go.
    Soon,
    /// All others are busy.
    Never(Refused),
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All places are taken.
    Full,
    /// The address has all that it may have.
    Address,
}

impl Refused {
    /// What operators count.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Address => "address",
        }
    }
}

impl Places {
    pub(crate) fn new(room: Room) -> Arc<Self> {
        Arc::new(Self {
            room,
            connections: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A place for a connection from `address`, if need be that of another one.
    ///
    /// # Errors
    /// If there is none, and all connections that could give theirs up are busy.
    pub(crate) async fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refused> {
        let address = counted_as(address);
        let looked = timeout(PATIENCE, async {
            loop {
                let freed = self.freed.notified();
                match self.look(address) {
                    Look::Found(place) => return Ok(place),
                    Look::Never(refused) => return Err(refused),
                    Look::Soon => freed.await,
                }
            }
        });
        looked.await.unwrap_or(Err(Refused::Full))
    }

    /// How many there are.
    pub(crate) fn taken(&self) -> usize {
        self.connections().by_number.len()
    }

    fn look(self: &Arc<Self>, address: IpAddr) -> Look {
        let mut connections = self.connections();
        let here = connections.by_address.get(&address).copied();
        let (refused, among) = if here.unwrap_or_default() >= self.room.most_per_address {
            (Refused::Address, Some(address))
        } else if connections.by_number.len() >= self.room.most {
            (Refused::Full, None)
        } else {
            return Look::Found(self.place(&mut connections, address));
        };
        match connections.let_one_go(among) {
            true => Look::Soon,
            false => Look::Never(refused),
        }
    }

    fn place(self: &Arc<Self>, connections: &mut Connections, address: IpAddr) -> Place {
        let (activity, go) = (Activity::new(), CancellationToken::new());
        let number = connections.next;
        connections.next += 1;
        *connections.by_address.entry(address).or_default() += 1;
        let connection = Connection {
            address,
            activity: activity.clone(),
            go: go.clone(),
        };
        connections.by_number.insert(number, connection);
        Place {
            places: Arc::clone(self),
            number,
            activity,
            go,
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// Makes sure that one of the connections goes, of those from `among` if that is said; tells whether
    /// there is such a one.
    fn let_one_go(&self, among: Option<IpAddr>) -> bool {
        let those = self.by_number.values();
        let mut those = those.filter(|it| among.is_none_or(|address| it.address == address));
        if those.clone().any(|it| it.go.is_cancelled()) {
            return true;
        }
        let first = those
            .by_ref()
            .filter_map(|it| Some((it.activity.dispensable()?, it)))
            .min_by_key(|(dispensable, _)| *dispensable);
        if let Some((_, it)) = first {
            it.go.cancel();
        }
        first.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.places.connections();
        if let Some(gone) = connections.by_number.remove(&self.number)
            && let Some(count) = connections.by_address.get_mut(&gone.address)
        {
            *count -= 1;
            if *count == 0 {
                connections.by_address.remove(&gone.address);
            }
        }
        drop(connections);
        self.places.freed.notify_waiters();
    }
}

/// Whoever has one address of the sixth version has a whole network of them.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::from(std::net::Ipv6Addr::from_bits(
            v6.to_bits() & (u128::MAX << 64),
        )),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Version;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn places(most: usize, most_per_address: usize) -> Arc<Places> {
        Places::new(Room {
            most,
            most_per_address,
        })
    }

    #[tokio::test]
    async fn busy_connections_keep_their_places() {
        let places = places(3, 2);
        let a = address("10.0.0.1");
        let mut held = Vec::new();
        for _ in 0..2 {
            let place = places.take(a).await.unwrap();
            let busy = place.activity.asked(Version::HTTP_11);
            held.push((place, busy));
        }
        assert_eq!(places.take(a).await.unwrap_err(), Refused::Address);
        let b = address("10.0.0.2");
        let other = places.take(b).await.unwrap();
        let busy = other.activity.asked(Version::HTTP_11);
        assert_eq!(places.take(b).await.unwrap_err(), Refused::Full);
        drop((other, busy));
        assert_eq!(places.taken(), 2);
        places.take(b).await.unwrap();
        held.clear();
        assert_eq!(places.taken(), 0);
        assert!(places.connections().by_address.is_empty());
    }

    #[tokio::test]
    async fn the_most_dispensable_one_goes() {
        let places = places(3, 3);
        let a = address("10.0.0.1");
        let asked = places.take(a).await.unwrap();
        drop(asked.activity.asked(Version::HTTP_11));
        let silent = places.take(a).await.unwrap();
        let younger = places.take(a).await.unwrap();
        let new = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(address("10.0.0.2")).await }
        });
        silent.go.cancelled().await;
        assert!(!asked.go.is_cancelled() && !younger.go.is_cancelled());
        drop(silent);
        let new = new.await.unwrap().unwrap();
        assert_eq!(places.taken(), 3);
        assert!(!new.go.is_cancelled());
    }

    #[tokio::test]
    async fn an_address_makes_room_among_its_own() {
        let places = places(10, 1);
        let silent_for_longer = places.take(address("10.0.0.1")).await.unwrap();
        let own = places.take(address("10.0.0.2")).await.unwrap();
        let new = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(address("10.0.0.2")).await }
        });
        own.go.cancelled().await;
        drop(own);
        new.await.unwrap().unwrap();
        assert!(!silent_for_longer.go.is_cancelled());
    }

    #[test]
    fn networks_of_the_sixth_version_count_as_one_address() {
        for (one, other, same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
        ] {
            let (one, other) = (counted_as(address(one)), counted_as(address(other)));
            assert_eq!(one == other, same, "{one} {other}");
        }
    }
}
