// SPDX-License-Identifier: LGPL-2.1-or-later
// What XML uses of libxml2. Everything needed is importable as it is.
#pragma once
#include <libxml/xmlversion.h>
// encoding.h would drag the system's ICU in, whose declarations contradict those of Foundation's own ICU wherever a module sees
// both, as tests do. Only members of xmlCharEncodingHandler depend on it, and nobody here looks into that.
#undef LIBXML_ICU_ENABLED
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/SAX2.h>
#include <libxml/xmlerror.h>
