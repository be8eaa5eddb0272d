//! A small HTTP/1.1 client that keeps its connection and can also send what no client should.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Tells a hang from a slow machine.
const HANG: Duration = Duration::from_secs(60);

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields in their order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the header field `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The content as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to `address`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HANG))?;
        stream.set_write_timeout(Some(HANG))?;
        Ok(Self { address, stream: BufReader::new(stream) })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Whether bytes have come, or the end of the connection, that nobody has read yet.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn has_heard(&self) -> io::Result<bool> {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true)?;
        let heard = match stream.peek(&mut [0]) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        };
        stream.set_nonblocking(false)?;
        heard
    }

    /// Ends one direction, or both.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.get_ref().shutdown(how)
    }

    /// Sends a request and reads its response.
    ///
    /// # Errors
    /// When the connection breaks, hangs, or carries something else than HTTP.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Response> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.send(&[head.as_bytes(), body.unwrap_or_default()].concat())?;
        self.response()
    }

    /// Reads the next response.
    ///
    /// # Errors
    /// When the connection breaks, hangs, or carries something else than HTTP.
    pub fn response(&mut self) -> io::Result<Response> {
        let status_line = self.line()?;
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| malformed(&status_line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        match response.header("content-length").map(str::parse) {
            Some(Ok(length)) => {
                response.body = vec![0; length];
                self.stream.read_exact(&mut response.body)?;
            }
            Some(Err(_)) => return Err(malformed("Content-Length")),
            None => {
                self.stream.read_to_end(&mut response.body)?;
            }
        }
        Ok(response)
    }

    /// Whether the other side has closed, when nothing is left to read.
    ///
    /// # Errors
    /// When the connection hangs, or more bytes come.
    pub fn read_end(&mut self) -> io::Result<()> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(0) => Ok(()),
            Ok(_) => Err(malformed(&String::from_utf8_lossy(&rest))),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = line.strip_suffix("\r\n").ok_or_else(|| malformed(&line))?.len();
        line.truncate(length);
        Ok(line)
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not as HTTP has it: {what:?}"))
}

/// One GET on a connection of its own.
///
/// # Errors
/// As [`Client::request`].
pub fn get(address: SocketAddr, path: &str) -> io::Result<Response> {
    Client::connect(address)?.request("GET", path, &[("Connection", "close")], None)
}

/// One PUT on a connection of its own.
///
/// # Errors
/// As [`Client::request`].
pub fn put(address: SocketAddr, path: &str, body: &str) -> io::Result<Response> {
    let headers = [("Connection", "close"), ("Content-Type", "application/json")];
    Client::connect(address)?.request("PUT", path, &headers, Some(body.as_bytes()))
}
