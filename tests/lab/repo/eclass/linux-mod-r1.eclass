# @ECLASS: linux-mod-r1.eclass
# @BLURB: in the lab no more than the name by which kernel modules are known
# @SUPPORTED_EAPIS: 8
# @DESCRIPTION:
# The real one builds modules against the sources below /usr/src/linux.
