using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>The dimensions of an input by what a reduction does with them; neighbours of one kind are merged, so that kinds alternate.</summary>
internal unsafe struct ReductionLoops
{
    private const int MaxRank = 16;
    private int _keptRank;
    private int _reducedRank;
    private fixed long _kept[MaxRank];
    private fixed long _keptSteps[MaxRank];
    private fixed long _reduced[MaxRank];
    private fixed long _reducedSteps[MaxRank];

    /// <summary>Loops over an input of a shape; <paramref name="axes"/> has a bit set for each dimension that is reduced.</summary>
    public ReductionLoops(Node node, Shape shape, ulong axes)
    {
        node.Expect(shape.Rank <= MaxRank, $"reduces a tensor of {shape.Rank} dimensions, expected {MaxRank} at most");
        KeptCount = ReducedCount = 1;
        bool? previous = null;
        long step = 1;
        for (int axis = shape.Rank - 1; axis >= 0; axis--)
        {
            long length = shape[axis];
            bool isReduced = (axes >> axis & 1) != 0;
            if (isReduced) ReducedCount *= length;
            else KeptCount *= length;
            if (length != 1)
            {
                if (isReduced) Add(ref _reducedRank, previous == true, length, step, isReduced: true);
                else Add(ref _keptRank, previous == false, length, step, isReduced: false);
                previous = isReduced;
            }
            step *= length;
        }
        // Innermost dimension first; at least one of each kind.
        if (_keptRank == 0) (_keptRank, _kept[0], _keptSteps[0]) = (1, 1, 0);
        if (_reducedRank == 0) (_reducedRank, _reduced[0], _reducedSteps[0]) = (1, 1, 0);
    }

    /// <summary>Number of results.</summary>
    public long KeptCount { get; }

    /// <summary>Elements that one result is made of.</summary>
    public long ReducedCount { get; }

    /// <summary>True where the elements of one result lie in contiguous runs.</summary>
    public readonly bool IsReducedInnermost => _reducedSteps[0] == 1 || _keptSteps[0] != 1;

    /// <summary>Length of the runs: of reduced elements where these are innermost, else of neighbouring results.</summary>
    public readonly long RunLength => IsReducedInnermost ? _reduced[0] : _kept[0];

    /// <summary>Elements of the input between neighbours of a run of reduced elements.</summary>
    public readonly long RunStep => _reducedSteps[0];

    /// <summary>First input element of a result.</summary>
    public readonly long StartOf(long result)
    {
        long at = 0;
        for (int axis = 0; axis < _keptRank; axis++)
        {
            (result, long position) = Math.DivRem(result, _kept[axis]);
            at += position * _keptSteps[axis];
        }
        return at;
    }

    /// <summary>How many runs (or single elements, where results are innermost) a result is made of.</summary>
    public readonly long RunCount => IsReducedInnermost ? ReducedCount / Math.Max(1, _reduced[0]) : ReducedCount;

    /// <summary>Where a run starts, from the result's first element.</summary>
    public readonly long RunStart(long run)
    {
        long at = 0;
        for (int axis = IsReducedInnermost ? 1 : 0; axis < _reducedRank; axis++)
        {
            (run, long position) = Math.DivRem(run, _reduced[axis]);
            at += position * _reducedSteps[axis];
        }
        return at;
    }

    private void Add(ref int rank, bool isMerged, long length, long step, bool isReduced)
    {
        if (!isMerged) rank++;
        int last = rank - 1;
        if (isReduced) (_reduced[last], _reducedSteps[last]) = isMerged ? (_reduced[last] * length, _reducedSteps[last]) : (length, step);
        else (_kept[last], _keptSteps[last]) = isMerged ? (_kept[last] * length, _keptSteps[last]) : (length, step);
    }
}
