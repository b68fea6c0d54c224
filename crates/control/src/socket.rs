//! The Unix socket of the API, and who may use it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use postroad_host::net::unix::{UnixListener, UnixStream};
use postroad_host::tasks;

/// How long to wait after an error of accept(2): too many open files, no memory.
const PAUSE: Duration = Duration::from_millis(100);

/// The socket, which lets in the users it is for.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    users: Vec<u32>,
}

impl Socket {
    /// Listens at `path`, with mode 0600. What an earlier server left there is removed; a socket
    /// that somebody answers at is an error.
    ///
    /// Beside the mode of the socket, which not every system minds, the peer's user is asked: it
    /// must be this process's own or root.
    pub fn bind(path: &Path) -> io::Result<Socket> {
        let listener = UnixListener::bind(path)?;
        Ok(Socket {
            listener,
            users: vec![0, postroad_host::net::unix::own_user()],
        })
    }

    /// Serves `routes` until `end` is done, and then what is under way to its end.
    pub async fn serve(
        self,
        routes: Router,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        axum::serve(self, routes).with_graceful_shutdown(end).await
    }
}

impl Listener for Socket {
    type Io = UnixStream;
    type Addr = Arc<Path>;

    async fn accept(&mut self) -> (UnixStream, Arc<Path>) {
        loop {
            match self.listener.accept().await {
                Ok(stream) => match stream.peer_user() {
                    Ok(user) if self.users.contains(&user) => {
                        return (stream, self.listener.path());
                    }
                    // It is dropped, which closes it.
                    _ => {}
                },
                Err(_) => tasks::sleep(PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Arc<Path>> {
        Ok(self.listener.path())
    }
}
