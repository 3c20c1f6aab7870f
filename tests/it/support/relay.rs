//! A fixed address for a host that takes another port each time it starts.

use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Passes connections on to a host, wherever it is at the moment. Without one, they are closed.
pub(crate) struct Relay {
    address: String,
    target: Arc<Mutex<String>>,
}

impl Relay {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let target = Arc::<Mutex<String>>::default();
        let known = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let target = known.lock().unwrap().clone();
                tokio::spawn(pass_on(client, target));
            }
        });
        Self { address, target }
    }

    /// The address that stays.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where connections go from now on.
    pub(crate) fn point_to(&self, url: &str) {
        let address = url.strip_prefix("http://").unwrap();
        *self.target.lock().unwrap() = address.to_owned();
    }
}

async fn pass_on(mut client: TcpStream, target: String) {
    if let Ok(mut host) = TcpStream::connect(target).await {
        // Either side may break it off.
        let _ = copy_bidirectional(&mut client, &mut host).await;
    }
}
