// SPDX-License-Identifier: LGPL-2.1-or-later
// What XML uses of libxml2. Everything needed is importable as it is, but for ICU.
#pragma once
// Debian's libxml2 is built with ICU, and its headers then include ICU's: types of the same names, but not the same, are in
// Foundation's own copy of ICU, and Swift refuses to see both. Only a converter inside of a structure that is not used depends on it.
#include <libxml/xmlversion.h>
#undef LIBXML_ICU_ENABLED
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/SAX2.h>
#include <libxml/xmlerror.h>
