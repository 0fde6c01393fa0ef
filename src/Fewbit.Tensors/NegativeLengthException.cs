namespace Fewbit.Tensors;

/// <summary>A dimension would have fewer than 0 elements.</summary>
/// <param name="length">The length.</param>
internal sealed class NegativeLengthException(long length) : ArgumentOutOfRangeException("dims", length, "a dimension has 0 elements or more")
{
    public long Length => length;
}
