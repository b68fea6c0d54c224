//! What one pass over a message finds out.

/// The facts that decide where a message may go (RFC 6152, RFC 3030, RFC 6531, RFC 5321 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// How many octets were received, before the trace fields.
    pub size: u64,
    /// The header section has octets above 127.
    pub eight_bit_header: bool,
    /// The body has octets above 127.
    pub eight_bit_body: bool,
    /// The body has NUL; or there are CR or LF anywhere that are not a CRLF.
    pub binary: bool,
    /// The longest line, in octets, its CRLF not counted.
    pub longest_line: u64,
    /// How many Received fields there were.
    pub received_count: u32,
}
