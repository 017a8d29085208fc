// SPDX-License-Identifier: LGPL-2.1-or-later
// What glibc's Swift module hides: GNU and Linux-only calls, macros and variadic functions.
#pragma once
#include "files.h"
#include "process.h"
#include "concurrency.h"
