//! Unix sockets.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The user this process runs as.
pub fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A listening Unix socket. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct UnixListener {
    listener: tokio::net::UnixListener,
    path: Arc<Path>,
}

impl UnixListener {
    /// Listens at `path`; the file has mode 0600. Needs a runtime.
    ///
    /// A socket that nobody answers at, left by a process that was killed, is replaced.
    ///
    /// # Errors
    /// `AddrInUse` where somebody answers, or where the file is no socket; else what the system said.
    pub fn bind(path: &Path) -> io::Result<UnixListener> {
        let listener = match tokio::net::UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
                std::fs::remove_file(path)?;
                tokio::net::UnixListener::bind(path)?
            }
            bound => bound?,
        };
        // Between bind and here the process's umask holds, which is 077 in a server.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(UnixListener {
            listener,
            path: path.into(),
        })
    }

    /// Where it listens.
    pub fn path(&self) -> Arc<Path> {
        Arc::clone(&self.path)
    }

    /// The next connection. Dropping the future loses none.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept().await?;
        Ok(UnixStream(stream))
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        // Left behind, it is replaced by the next server.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether the file is a socket at which nobody listens.
fn is_abandoned(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = || {
        let answered = std::os::unix::net::UnixStream::connect(path);
        answered.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    is_socket && refused()
}

/// A connection over a Unix socket.
#[derive(Debug)]
pub struct UnixStream(tokio::net::UnixStream);

impl UnixStream {
    /// Connects, within `how_long`.
    ///
    /// # Errors
    /// `TimedOut` when it takes longer, else what the system said.
    pub async fn connect(to: &Path, how_long: Duration) -> io::Result<UnixStream> {
        let connected = crate::tasks::timeout(how_long, tokio::net::UnixStream::connect(to));
        match connected.await {
            Ok(stream) => stream.map(UnixStream),
            Err(crate::tasks::TimedOut) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// As which user the process at the other end runs, or ran when it connected.
    pub fn peer_user(&self) -> io::Result<u32> {
        self.0.peer_cred().map(|peer| peer.uid())
    }
}

impl AsyncRead for UnixStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("control");
        drop(std::os::unix::net::UnixListener::bind(&path)?);
        assert!(path.exists());
        let talk = async {
            let listener = UnixListener::bind(&path)?;
            let mode = std::fs::metadata(&path)?.permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let _client = UnixStream::connect(&path, LIMIT).await?;
            assert_eq!(listener.accept().await?.peer_user()?, own_user());
            let second = UnixListener::bind(&path).map(drop);
            assert_eq!(second.map_err(|e| e.kind()), Err(io::ErrorKind::AddrInUse));
            io::Result::Ok(())
        };
        crate::tasks::run(0, talk)??;
        assert!(!path.exists());
        Ok(())
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("control");
        std::fs::write(&path, "mine")?;
        let bound = crate::tasks::run(0, async { UnixListener::bind(&path).map(drop) })?;
        assert_eq!(bound.map_err(|e| e.kind()), Err(io::ErrorKind::AddrInUse));
        assert_eq!(std::fs::read_to_string(&path)?, "mine");
        Ok(())
    }
}
