//! Length-prefixed messages: a 4-byte big-endian length and that many bytes of payload, at most
//! [`MESSAGE_BYTES_MAX`].

use std::io;

use chronolease_core::wire::MESSAGE_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How many bytes stand before each payload.
const LENGTH_BYTES: usize = 4;

/// Why a frame cannot be read or written. The stream is of no further use after any of them.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream failed.
    #[error("the stream failed: {0}")]
    Io(#[from] io::Error),
    /// The frame is longer than [`MESSAGE_BYTES_MAX`]; nothing of its payload was read or written.
    #[error("a frame of {len} bytes is longer than {MESSAGE_BYTES_MAX}")]
    TooLong {
        /// The length of the payload, in bytes.
        len: usize,
    },
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame, {missing} bytes early")]
    Truncated {
        /// How many bytes of the length or of the payload did not come.
        missing: usize,
    },
}

/// Reads one frame and returns its payload, or `None` when the stream ends cleanly before one.
///
/// **Not cancel-safe**: when the future is dropped half way, bytes are lost and the stream is out
/// of step. Await it in a task of its own, not in a branch of `select!` that may lose.
///
/// # Errors
/// [`FrameError`] when the stream fails, ends inside the frame or announces too long a frame.
pub async fn read_frame<R>(reader: &mut R) -> Result<Option<Vec<u8>>, FrameError>
where
    R: AsyncRead + Unpin,
{
    let mut length = [0; LENGTH_BYTES];
    match read_full(reader, &mut length).await? {
        0 => {}
        LENGTH_BYTES => return Ok(None),
        missing => return Err(FrameError::Truncated { missing }),
    }
    let len = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if len > MESSAGE_BYTES_MAX {
        return Err(FrameError::TooLong { len });
    }
    let mut payload = vec![0; len];
    match read_full(reader, &mut payload).await? {
        0 => Ok(Some(payload)),
        missing => Err(FrameError::Truncated { missing }),
    }
}

/// Writes `payload` as one frame, length and payload together, and flushes.
///
/// Not cancel-safe either: a dropped future may leave half a frame behind.
///
/// # Errors
/// [`FrameError`] when the stream fails or `payload` is too long.
pub async fn write_frame<W>(writer: &mut W, payload: &[u8]) -> Result<(), FrameError>
where
    W: AsyncWrite + Unpin,
{
    writer.write_all(&frame(payload)?).await?;
    writer.flush().await?;
    Ok(())
}

/// The bytes of one frame, for a writer that must not wait.
///
/// # Errors
/// [`FrameError::TooLong`].
pub fn frame(payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    let len = payload.len();
    let announced = u32::try_from(len).ok().filter(|_| len <= MESSAGE_BYTES_MAX);
    let announced = announced.ok_or(FrameError::TooLong { len })?;
    Ok([&announced.to_be_bytes(), payload].concat())
}

/// Fills `buffer` as far as the stream goes; returns how many bytes are missing at its end.
async fn read_full<R>(reader: &mut R, buffer: &mut [u8]) -> io::Result<usize>
where
    R: AsyncRead + Unpin,
{
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]).await? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(buffer.len() - filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn read_all(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut frames = Vec::new();
        while let Some(frame) = read_frame(&mut bytes).await? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[tokio::test]
    async fn an_end_between_frames_is_clean() {
        assert_eq!(read_all(&[]).await.expect("clean"), Vec::<Vec<u8>>::new());
        let frames = read_all(&[0, 0, 0, 1, 7, 0, 0, 0, 0]).await.expect("clean");
        assert_eq!(frames, [vec![7], vec![]]);
    }

    #[tokio::test]
    async fn an_end_inside_a_frame_is_not() {
        for (bytes, expected) in [(&[0, 0][..], 2), (&[0, 0, 0, 3, 9], 2), (&[0, 0, 0, 1], 1)] {
            let error = read_all(bytes).await.expect_err("truncated");
            assert!(matches!(error, FrameError::Truncated { missing } if missing == expected));
        }
    }

    #[tokio::test]
    async fn too_long_a_frame_is_refused_before_its_payload() {
        let over = MESSAGE_BYTES_MAX + 1;
        let announced = u32::try_from(over).expect("it is small").to_be_bytes();
        let error = read_all(&announced).await.expect_err("too long");
        assert!(matches!(error, FrameError::TooLong { len } if len == over));

        let mut written = Vec::new();
        let error = write_frame(&mut written, &vec![0; over]).await.expect_err("too long");
        assert!(matches!(error, FrameError::TooLong { len } if len == over));
        assert!(written.is_empty());
    }

    #[tokio::test]
    async fn the_longest_frame_passes() {
        let longest = vec![1; MESSAGE_BYTES_MAX];
        let mut written = Vec::new();
        write_frame(&mut written, &longest).await.expect("it fits");
        assert_eq!(read_all(&written).await.expect("it fits"), [longest]);
    }

    proptest! {
        #[test]
        fn frames_survive_a_narrow_pipe(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            width in 1usize..64,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let read = runtime.block_on(async {
                let (mut near, mut far) = tokio::io::duplex(width);
                let sent = frames.clone();
                let writer = tokio::spawn(async move {
                    for frame in sent {
                        write_frame(&mut near, &frame).await.expect("the pipe is open");
                    }
                });
                let mut read = Vec::new();
                while let Some(frame) = read_frame(&mut far).await.expect("whole frames") {
                    read.push(frame);
                }
                writer.await.expect("it ends");
                read
            });
            prop_assert_eq!(read, frames);
        }
    }
}
