//! Whether a peer lives: what came from it, and what it took, seen on the bytes themselves.
//!
//! A peer gives a sign of life when a byte of it comes, or when a write that had to wait for it goes on: then it is slow, not
//! gone. A write that finds room at once is none, since it may go into a buffer of the system. A peer that does not read
//! cannot be asked for a sign: a write that has to wait has [`STALLED`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Silent for so many heartbeats, a peer counts as gone.
const HEARTBEATS: u32 = 3;
/// How long a peer may not read at all.
pub(crate) const STALLED: Duration = Duration::from_secs(900);

/// When a connection gave signs; times are milliseconds since its beginning.
pub(super) struct Pulse {
    begun: Instant,
    /// The last byte came.
    heard: AtomicU64,
    /// The last sign of life.
    lived: AtomicU64,
    /// The last byte was written.
    sent: AtomicU64,
    /// Whether a write has to wait.
    waits: AtomicBool,
}

/// What is to be done about a silence.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The peer counts as gone.
    Lost,
    /// It is asked whether it is there.
    Ask,
    /// Nothing before this time.
    Wait(Duration),
}

impl Pulse {
    /// A peer that has just connected.
    pub(super) fn new() -> Arc<Self> {
        let never = AtomicU64::default;
        let waits = AtomicBool::default();
        Arc::new(Self {
            begun: Instant::now(),
            heard: never(),
            lived: never(),
            sent: never(),
            waits,
        })
    }

    /// Asks for a sign whenever nothing was sent or nothing came for a heartbeat; returns once the peer counts as gone.
    pub(super) async fn lost(&self, heartbeat: Duration, mut ask: impl FnMut()) {
        let mut asked = Duration::ZERO;
        loop {
            let now = self.begun.elapsed();
            match self.next(now, asked, heartbeat) {
                Next::Lost => return,
                Next::Wait(until) => tokio::time::sleep_until(self.begun + until).await,
                Next::Ask => {
                    ask();
                    asked = now;
                }
            }
        }
    }

    /// What is to be done, when the peer was asked last at a time.
    fn next(&self, now: Duration, asked: Duration, heartbeat: Duration) -> Next {
        let patience = heartbeat * HEARTBEATS;
        let waits = self.waits.load(Ordering::Relaxed);
        // What it says does not help: it has to read.
        let end = match waits {
            true => read(&self.sent) + patience.max(STALLED),
            false => read(&self.lived) + patience,
        };
        let due = read(&self.sent).min(read(&self.heard)).max(asked) + heartbeat;
        match now {
            _ if now >= end => Next::Lost,
            _ if now >= due => Next::Ask,
            _ => Next::Wait(due.min(end)),
        }
    }

    fn mark(&self, signs: &[&AtomicU64]) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        signs.iter().for_each(|sign| sign.store(now, Ordering::Relaxed));
    }
}

fn read(sign: &AtomicU64) -> Duration {
    Duration::from_millis(sign.load(Ordering::Relaxed))
}

/// A connection whose signs are noted.
pub(super) struct Watched<S> {
    io: S,
    pulse: Arc<Pulse>,
    /// Whether the last write has to wait.
    waiting: bool,
}

impl<S> Watched<S> {
    /// Notes the signs of a connection.
    pub(super) fn new(io: S, pulse: &Arc<Pulse>) -> Self {
        Self { io, pulse: Arc::clone(pulse), waiting: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let done = Pin::new(&mut this.io).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.pulse.mark(&[&this.pulse.heard, &this.pulse.lived]);
        }
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let done = Pin::new(&mut this.io).poll_write(cx, bytes);
        if matches!(done, Poll::Ready(Ok(1..))) {
            this.pulse.mark(&[&this.pulse.sent]);
            if this.waiting {
                this.pulse.mark(&[&this.pulse.lived]);
            }
        }
        this.waiting = done.is_pending();
        this.pulse.waits.store(this.waiting, Ordering::Relaxed);
        done
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const BEAT: Duration = Duration::from_secs(10);

    /// A pulse with signs at these seconds.
    fn pulse(heard: u64, lived: u64, sent: u64) -> Pulse {
        let at = |seconds: u64| AtomicU64::new(seconds * 1000);
        let waits = AtomicBool::default();
        Pulse { begun: Instant::now(), heard: at(heard), lived: at(lived), sent: at(sent), waits }
    }

    fn next(pulse: &Pulse, now: u64, asked: u64) -> Next {
        pulse.next(Duration::from_secs(now), Duration::from_secs(asked), BEAT)
    }

    fn wait(seconds: u64) -> Next {
        Next::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn a_silent_peer_is_asked_each_heartbeat_and_lost_after_three() {
        let silent = pulse(0, 0, 0);
        assert_eq!(next(&silent, 0, 0), wait(10));
        assert_eq!(next(&silent, 10, 0), Next::Ask);
        assert_eq!(next(&silent, 10, 10), wait(20));
        assert_eq!(next(&silent, 20, 10), Next::Ask);
        assert_eq!(next(&silent, 25, 20), wait(30));
        assert_eq!(next(&silent, 30, 20), Next::Lost);
    }

    #[test]
    fn one_that_listens_alone_and_one_that_talks_alone_are_asked() {
        assert_eq!(next(&pulse(0, 0, 9), 10, 0), Next::Ask);
        assert_eq!(next(&pulse(9, 9, 0), 10, 0), Next::Ask);
        assert_eq!(next(&pulse(9, 9, 8), 10, 0), wait(18));
    }

    #[test]
    fn a_slow_peer_is_not_lost() {
        assert_eq!(next(&pulse(0, 25, 25), 31, 30), wait(40));
        assert_eq!(next(&pulse(0, 25, 25), 55, 50), Next::Lost);
    }

    /// A connection that is old enough for every sign to differ from none.
    fn old() -> Arc<Pulse> {
        let begun = Instant::now().checked_sub(BEAT).unwrap();
        Arc::new(Pulse { begun, ..pulse(0, 0, 0) })
    }

    fn signs(pulse: &Pulse) -> [bool; 3] {
        [&pulse.heard, &pulse.lived, &pulse.sent].map(|sign| sign.load(Ordering::Relaxed) > 0)
    }

    #[tokio::test]
    async fn what_comes_is_a_sign_and_what_finds_room_is_none() {
        let (near, mut far) = tokio::io::duplex(4);
        let pulse = old();
        let mut near = Watched::new(near, &pulse);
        near.write_all(b"a").await.unwrap();
        assert_eq!(signs(&pulse), [false, false, true]);
        far.write_all(b"b").await.unwrap();
        near.read_u8().await.unwrap();
        assert_eq!(signs(&pulse), [true, true, true]);
    }

    #[tokio::test]
    async fn a_write_that_waited_and_goes_on_is_a_sign() {
        let (near, mut far) = tokio::io::duplex(4);
        let pulse = old();
        let mut near = Watched::new(near, &pulse);
        let (written, read) = tokio::join!(near.write_all(b"abcde"), far.read_u8());
        assert!(written.is_ok() && read.is_ok());
        assert_eq!(signs(&pulse), [false, true, true]);
    }
}
