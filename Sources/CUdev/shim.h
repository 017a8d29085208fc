// SPDX-License-Identifier: LGPL-2.1-or-later
// What Udev uses of libudev. Everything needed is importable as it is.
#pragma once
#include <libudev.h>
