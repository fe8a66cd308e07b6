//! A short number that follows from a text, the same on every machine and in every version: FNV-1a in 64 bits.

/// What it begins with.
pub const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// What `before` becomes when this text follows. It is no protection against somebody who looks for two texts with one number.
pub fn fnv(before: u64, text: &str) -> u64 {
    text.bytes().fold(before, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// <http://www.isthe.com/chongo/src/fnv/test_fnv.c>
    #[test]
    fn it_gives_the_published_numbers() {
        for (text, number) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(fnv(SEED, text), number, "{text}");
        }
    }
}
