//! One connection: a TCP or unix socket, with TLS or without, as sessions see it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use imap::Received;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::indexer::Activity;
use crate::tls::{Acceptor, TlsStream};

/// What one read takes at most.
const READ_BYTES_MAX: usize = 64 * 1024;
/// The same for IMAP before login: all strangers at once may have one read each waiting.
const READ_BYTES_MAX_BEFORE_LOGIN: usize = 8 * 1024;
/// Segments of one vectored write.
const SEGMENTS_MAX: usize = 64;
/// Time for close_notify and the peer's own close. What the peer still sends meanwhile is thrown
/// away, for a close with unread bytes would take back what was said last.
const FAREWELL: Duration = Duration::from_millis(500);

thread_local! {
    // Connections that wait for their client own no buffer: a worker's is used when bytes are there.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES_MAX].into_boxed_slice());
}

/// The socket below a session.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// A handshake failed, or the connection was shut down.
    Closed,
}

trait Socket: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}

impl Stream {
    fn socket(&mut self) -> io::Result<Pin<&mut dyn Socket>> {
        Ok(match self {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Unix(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(&mut **stream),
            Self::Closed => return Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

/// What a link is told when it is made.
#[derive(Clone)]
pub(crate) struct LinkOptions {
    /// For STARTTLS; none where it is not offered.
    pub(crate) acceptor: Option<Acceptor>,
    /// Whether passwords may cross it unencrypted if it comes from this machine.
    pub(crate) plaintext_from_loopback: bool,
    /// How long a peer may take nothing.
    pub(crate) stall_time: Duration,
    /// How long a handshake may take: nobody is logged in yet.
    pub(crate) handshake_time: Duration,
    /// Hears of what clients say.
    pub(crate) activity: Arc<Activity>,
}

/// A connection to one client.
pub(crate) struct Link {
    stream: Stream,
    remote: IpAddr,
    tls: Option<auth::Tls>,
    options: LinkOptions,
    read_bytes_max: usize,
    /// When a read has lasted too long, or earlier: set once for many commands.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Whether bytes have come since something was last said: what is said acknowledges them.
    unanswered: bool,
}

impl Link {
    /// A connection over TCP.
    pub(crate) fn tcp(stream: TcpStream, remote: IpAddr, options: LinkOptions) -> Self {
        // Without these a session is slower or lives longer than it should; it works nevertheless.
        let _ = stream.set_nodelay(true);
        let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
        let read_bytes_max = READ_BYTES_MAX_BEFORE_LOGIN;
        let stream = Stream::Tcp(stream);
        Self { stream, remote, tls: None, options, read_bytes_max, alarm: None, unanswered: false }
    }

    /// A connection over a unix socket.
    pub(crate) fn unix(stream: UnixStream, options: LinkOptions) -> Self {
        let remote = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let read_bytes_max = READ_BYTES_MAX_BEFORE_LOGIN;
        let stream = Stream::Unix(stream);
        Self { stream, remote, tls: None, options, read_bytes_max, alarm: None, unanswered: false }
    }

    /// The server's part of a handshake.
    pub(crate) async fn handshake(&mut self) -> io::Result<auth::Tls> {
        let no_tls = || io::Error::new(io::ErrorKind::Unsupported, "no TLS here");
        let acceptor = self.options.acceptor.clone().ok_or_else(no_tls)?;
        let Stream::Tcp(stream) = std::mem::replace(&mut self.stream, Stream::Closed) else {
            return Err(no_tls());
        };
        let (stream, facts) =
            timeout(self.options.handshake_time, acceptor.accept(stream)).await??;
        self.stream = Stream::Tls(Box::new(stream));
        self.tls = Some(facts.clone());
        Ok(facts)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(&mut buffer[..self.read_bytes_max]);
            let read = self.stream.socket()?.poll_read(cx, &mut buffer);
            if read.is_pending() && std::mem::take(&mut self.unanswered) {
                self.acknowledge();
            }
            ready!(read)?;
            self.unanswered = true;
            self.options.activity.note();
            into.extend_from_slice(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    /// Acknowledges what has come without an answer to carry that. Many clients send a literal and its
    /// line's end apart without TCP_NODELAY: their kernel keeps the end until the literal is
    /// acknowledged, which ours would do 40 ms later. An APPEND of Python's imaplib takes 1 ms with
    /// this, 45 without. After an answer it would only have the kernel send a packet of its own for
    /// each command to come.
    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        if let Stream::Tcp(stream) = &self.stream {
            let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
        } else if let Stream::Tls(stream) = &self.stream {
            let _ = rustix::net::sockopt::set_tcp_quickack(stream.get_ref().0, true);
        }
    }

    /// Adds bytes to `into`.
    pub(crate) async fn receive(
        &mut self,
        into: &mut BytesMut,
        patience: Duration,
    ) -> io::Result<Received> {
        let mut deadline = None;
        let read = poll_fn(|cx| match self.poll_read(cx, into) {
            Poll::Ready(read) => Poll::Ready(Some(read)),
            Poll::Pending => {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
                self.poll_alarm(cx, deadline).map(|()| None)
            }
        });
        match read.await {
            None => Ok(Received::TimedOut),
            Some(Ok(0)) => Ok(Received::Eof),
            Some(Ok(_)) => Ok(Received::Bytes),
            // Peers that hang up without close_notify are many; nothing is lost by it here, for
            // commands have ends of their own.
            Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Received::Eof),
            Some(Err(error)) => Err(error),
        }
    }

    /// Resolves at the deadline. The alarm stays set between reads: each command would take a timer out
    /// of the runtime's and put another in. One that rings early is set again.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() > deadline {
            alarm.as_mut().reset(deadline);
        }
        loop {
            ready!(alarm.as_mut().poll(cx));
            if alarm.deadline() >= deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
    }

    /// Writes all of `chain` in vectored writes.
    pub(crate) async fn send(&mut self, chain: Vec<Bytes>) -> io::Result<()> {
        let mut chain = Segments { chain, at: 0 };
        chain.skip_empty();
        self.unanswered &= chain.is_empty();
        let stall_time = self.options.stall_time;
        while !chain.is_empty() {
            let written = timeout(
                stall_time,
                poll_fn(|cx| {
                    let mut slices = [IoSlice::new(&[]); SEGMENTS_MAX];
                    let count = chain.slices(&mut slices);
                    self.stream.socket()?.poll_write_vectored(cx, &slices[..count])
                }),
            )
            .await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            chain.advance(written);
        }
        timeout(stall_time, poll_fn(|cx| self.stream.socket()?.poll_flush(cx))).await?
    }

    /// Ends the connection in order.
    pub(crate) async fn end(&mut self) {
        let farewell = async {
            poll_fn(|cx| self.stream.socket()?.poll_shutdown(cx)).await?;
            let mut rest = BytesMut::new();
            while poll_fn(|cx| self.poll_read(cx, &mut rest)).await? > 0 {
                rest.clear();
            }
            Ok::<(), io::Error>(())
        };
        // Whether the peer is polite changes nothing any more.
        let _ = timeout(FAREWELL, farewell).await;
        self.stream = Stream::Closed;
    }
}

struct Segments {
    chain: Vec<Bytes>,
    at: usize,
}

impl Segments {
    fn is_empty(&self) -> bool {
        self.at == self.chain.len()
    }

    fn skip_empty(&mut self) {
        while self.chain.get(self.at).is_some_and(Bytes::is_empty) {
            // What is written is given back at once.
            self.chain[self.at] = Bytes::new();
            self.at += 1;
        }
    }

    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let waiting = self.chain[self.at..].iter().filter(|bytes| !bytes.is_empty());
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(waiting) {
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(bytes) = self.chain.get_mut(self.at).filter(|_| written > 0) {
            let part = written.min(bytes.len());
            bytes.advance(part);
            written -= part;
            self.skip_empty();
        }
    }
}

impl imap::Transport for Link {
    fn logged_in(&mut self) {
        self.read_bytes_max = READ_BYTES_MAX;
    }

    async fn read(&mut self, into: &mut BytesMut, patience: Duration) -> io::Result<Received> {
        self.receive(into, patience).await
    }

    async fn write(&mut self, chain: Vec<Bytes>) -> io::Result<()> {
        self.send(chain).await
    }

    fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &self.stream {
            Stream::Tcp(stream) => stream.try_write(bytes),
            Stream::Unix(stream) => stream.try_write(bytes),
            // TLS has buffers of its own.
            Stream::Tls(_) | Stream::Closed => return Ok(0),
        };
        match written {
            Ok(written) => {
                self.unanswered &= written == 0;
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn start_tls(&mut self) -> io::Result<auth::Tls> {
        self.handshake().await
    }

    fn can_start_tls(&self) -> bool {
        self.options.acceptor.is_some() && matches!(self.stream, Stream::Tcp(_))
    }

    fn tls(&self) -> Option<auth::Tls> {
        self.tls.clone()
    }

    fn is_secure(&self) -> bool {
        self.tls.is_some() || (self.options.plaintext_from_loopback && self.remote.is_loopback())
    }

    fn remote(&self) -> IpAddr {
        self.remote
    }

    async fn sleep(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn shutdown(&mut self) {
        self.end().await;
    }
}

/// A link as LMTP sees it, with the news that the server stops.
pub(crate) struct LmtpLink {
    link: Link,
    stop: imap::Stop,
}

impl LmtpLink {
    /// LMTP has no login: its peers are trusted from the start.
    pub(crate) fn new(mut link: Link, stop: imap::Stop) -> Self {
        link.read_bytes_max = READ_BYTES_MAX;
        Self { link, stop }
    }
}

impl lmtp::Transport for LmtpLink {
    async fn read(
        &mut self,
        into: &mut BytesMut,
        patience: Duration,
    ) -> io::Result<lmtp::Received> {
        tokio::select! {
            received = self.link.receive(into, patience) => Ok(match received? {
                Received::Bytes => lmtp::Received::Bytes,
                Received::Eof => lmtp::Received::Eof,
                Received::TimedOut => lmtp::Received::TimedOut,
            }),
            () = self.stop.wait() => Ok(lmtp::Received::Stopping),
        }
    }

    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.link.send(vec![bytes]).await
    }

    fn remote(&self) -> Option<IpAddr> {
        match self.link.stream {
            Stream::Unix(_) => None,
            _ => Some(self.link.remote),
        }
    }

    fn is_tls(&self) -> bool {
        self.link.tls.is_some()
    }

    async fn shutdown(&mut self) {
        self.link.end().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn each_read_ends_at_its_own_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, remote) = listener.accept().await.unwrap();
        let options = LinkOptions {
            acceptor: None,
            plaintext_from_loopback: true,
            stall_time: Duration::from_secs(60),
            handshake_time: Duration::from_secs(60),
            activity: Arc::default(),
        };
        let mut link = Link::tcp(stream, remote.ip(), options);
        let (long, short) = (Duration::from_secs(600), Duration::from_millis(5));
        let mut into = BytesMut::new();
        assert!(timeout(short, link.receive(&mut into, long)).await.is_err(), "still waiting");
        for _ in 0..2 {
            // Before the alarm that is set, and behind one that has rung.
            assert_eq!(link.receive(&mut into, short).await.unwrap(), Received::TimedOut);
        }
        let say = async {
            tokio::task::yield_now().await;
            peer.write_all(b"x").await.unwrap();
        };
        let (received, ()) = tokio::join!(link.receive(&mut into, long), say);
        assert_eq!((received.unwrap(), &into[..]), (Received::Bytes, &b"x"[..]));
    }

    #[test]
    fn segments_advance_over_any_lengths() {
        let parts: [&[u8]; 5] = [b"", b"abc", b"", b"d", b"efghi"];
        for step in 1..10 {
            let chain = parts.iter().map(|part| Bytes::from_static(part)).collect();
            let mut segments = Segments { chain, at: 0 };
            segments.skip_empty();
            let mut sent = Vec::new();
            while !segments.is_empty() {
                let mut slices = [IoSlice::new(&[]); SEGMENTS_MAX];
                let count = segments.slices(&mut slices);
                let all: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
                let part = step.min(all.len());
                sent.extend_from_slice(&all[..part]);
                segments.advance(part);
            }
            assert_eq!(sent, b"abcdefghi");
        }
    }
}
