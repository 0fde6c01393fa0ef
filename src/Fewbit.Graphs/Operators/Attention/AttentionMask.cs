using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Which keys a query sees: a mask that is added or that chooses, a causal bound, lengths of the batch items.</summary>
internal unsafe struct AttentionMask<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private byte* _mask;
    private long* _lengths;
    private long _batchStep, _headStep, _queryStep;
    private int _width, _queries, _past, _total;
    private bool _isBool, _isCausal;

    /// <summary>True where every query sees every key and nothing is added.</summary>
    public readonly bool IsEmpty => _mask == null && _lengths == null && !_isCausal;

    public static AttentionMask<T> Of(EvaluationContext context, bool isCausal, AttentionShape shape, Shape? mask)
    {
        Tensor? tensor = context.FindInput(Attention.Mask), lengths = context.FindInput(Attention.KeyLengths);
        var result = new AttentionMask<T> { _isCausal = isCausal, _queries = shape.Queries, _past = shape.Past, _total = shape.Total };
        if (lengths is not null) result._lengths = (long*)lengths.Address;
        if (tensor is null || mask is not { } dims) return result;
        result._mask = tensor.Address;
        result._isBool = tensor.Type == ElementType.Bool;
        result._width = (int)dims.Dims[^1];
        result._queryStep = Step(dims, 2);
        result._headStep = Step(dims, 3);
        result._batchStep = Step(dims, 4);
        return result;
    }

    /// <summary>Adds the mask to the scores of one query; what it does not see becomes minus infinity.</summary>
    public readonly void Apply(int n, int head, int query, Span<T> row)
    {
        long length = _lengths == null ? _total : _lengths[n];
        long visible = _isCausal ? Math.Min(length, query + 1 + (_lengths != null && _past == 0 ? length - _queries : _past)) : length;
        if (_mask != null)
        {
            long start = n * _batchStep + head * _headStep + query * _queryStep;
            visible = _width == 1 ? visible : Math.Min(visible, _width);
            for (int j = 0; j < visible; j++)
            {
                long at = start + (_width == 1 ? 0 : j);
                if (!_isBool) row[j] += ((T*)_mask)[at];
                else if (_mask[at] == 0) row[j] = T.NegativeInfinity;
            }
        }
        row[(int)Math.Clamp(visible, 0, row.Length)..].Fill(T.NegativeInfinity);
    }

    /// <summary>Elements between neighbours along the dimension that is <paramref name="fromBack"/>-th from the back; 0 where it is broadcast.</summary>
    private static long Step(Shape mask, int fromBack) =>
        fromBack > mask.Rank || mask[mask.Rank - fromBack] == 1 ? 0 : mask.CountOf(mask.Rank - fromBack + 1, mask.Rank);
}
