"""What becomes of payloads on their way to a device: compressed, encrypted, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from storage.coding import ENCRYPTED, PLAIN, Coder, Compression
from storage.device import Disk
from storage.engine import StorageError
from storage.ssd.layout import DeviceHeader, StoredRecord

if TYPE_CHECKING:
    from storage.cipher import Cipher


class Payloads:
    """The coders of one store. `encryption` is for new stores; others stay as they are."""

    def __init__(
        self,
        disk: Disk,
        *,
        compression: str,
        level: int,
        encryption: str,
        key_file: str,
        old_key_file: str,
    ) -> None:
        self._disk = disk
        self._encryption = encryption
        self._key_file = key_file
        self._old_key_file = old_key_file
        self._ciphers: list[Cipher | None] = []
        self.set_compression(compression, level)

    def set_compression(self, name: str, level: int) -> None:
        """Compress payloads like this from now on."""
        self._coder: Coder = Compression(name, level)
        self._compresses = name != "none"
        self._settle()

    def new_key(self) -> tuple[int, bytes]:
        """(bytes of key, the key wrapped) for a new device. Raises StorageError, ValueError."""
        if self._encryption == "none":
            return 0, b""
        from storage.cipher import KEY_BYTES, read_secret, wrap

        if self._encryption not in KEY_BYTES:
            raise ValueError(f"no cipher {self._encryption!r}")
        size = KEY_BYTES[self._encryption]
        key = (self._disk.unique_id() + self._disk.unique_id())[:size]
        return size, wrap(read_secret(self._disk, self._key_file), key)

    def use_keys(self, headers: Sequence[DeviceHeader]) -> list[DeviceHeader]:
        """Unwrap the devices' keys; the headers, their keys wrapped by the key file of now.

        Raises StorageError when no key file fits.
        """
        opened = [self._use_key(header) for header in headers]
        self._ciphers = [cipher for cipher, _ in opened]
        self._settle()
        return [header for _, header in opened]

    def encode(self, device: int, digest: bytes, payload: bytes, stamp: int) -> tuple[int, bytes]:
        """(coding, bytes to store)."""
        coding, stored = self._coder.encode(payload) if self._compresses else (PLAIN, payload)
        cipher = self._ciphers[device]
        if cipher is not None:
            return coding | ENCRYPTED, cipher.encrypt(stored, stamp, digest)
        return coding, stored

    def decode(self, device: int, record: StoredRecord) -> bytes:
        """The payload. Raises ValueError for what `encode` did not make."""
        stored = record.stored
        if record.coding & ENCRYPTED:
            cipher = self._ciphers[device]
            if cipher is None:
                raise ValueError("encrypted, and the device has no key")
            stored = cipher.decrypt(stored, record.stamp, record.digest)
        return self._coder.decode(record.coding & ~ENCRYPTED, stored)

    def _settle(self) -> None:
        self.plain = not (self._compresses or any(self._ciphers))
        """Payloads are stored as they are: `encode` need not be called."""

    def _use_key(self, header: DeviceHeader) -> tuple[Cipher | None, DeviceHeader]:
        if not header.key_bytes:
            return None, header
        from storage.cipher import Cipher, read_secret, unwrap, wrap

        wrapped = header.wrapped_key[: header.key_bytes + 8]
        for path in filter(None, (self._key_file, self._old_key_file)):
            key = unwrap(read_secret(self._disk, path), wrapped)
            if key is not None:
                now = wrap(read_secret(self._disk, self._key_file), key)
                return Cipher(key), header._replace(wrapped_key=now.ljust(40, b"\0"))
        raise StorageError("the store is encrypted, and no key file given opens it")
