// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Glibc

Loop.blockSignals()
umask(0o077)
exit(Program.run())
