//! Numbers as the format has them: little-endian, in structures that begin at multiples of eight bytes.

/// An address that leads nowhere.
pub(super) const NOWHERE: u64 = u64::MAX;
/// Structures begin at multiples of so many bytes.
pub(super) const ALIGNMENT: u64 = 8;

/// Bytes that grow by numbers.
pub(super) trait Put {
    /// Appends a number of 16 bits.
    fn put_u16(&mut self, number: u16);
    /// Appends a number of 32 bits.
    fn put_u32(&mut self, number: u32);
    /// Appends a number of 64 bits.
    fn put_u64(&mut self, number: u64);
    /// Appends zeros until there are so many bytes.
    fn put_zeros_to(&mut self, n_bytes: usize);
    /// Appends zeros up to the next multiple of eight bytes.
    fn align(&mut self);
}

impl Put for Vec<u8> {
    fn put_u16(&mut self, number: u16) {
        self.extend_from_slice(&number.to_le_bytes());
    }

    fn put_u32(&mut self, number: u32) {
        self.extend_from_slice(&number.to_le_bytes());
    }

    fn put_u64(&mut self, number: u64) {
        self.extend_from_slice(&number.to_le_bytes());
    }

    fn put_zeros_to(&mut self, n_bytes: usize) {
        self.resize(n_bytes.max(self.len()), 0);
    }

    fn align(&mut self) {
        self.put_zeros_to(self.len().next_multiple_of(ALIGNMENT as usize));
    }
}
