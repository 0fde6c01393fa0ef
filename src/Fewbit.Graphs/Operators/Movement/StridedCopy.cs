using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>Elements between neighbours along one dimension, where they are read and where they are written.</summary>
/// <param name="Length">Elements along the dimension.</param>
/// <param name="From">Step of the source: negative backwards, 0 where an element is repeated.</param>
/// <param name="To">Step of the destination.</param>
internal readonly record struct CopyAxis(long Length, long From, long To);

/// <summary>Copies a block of elements from one strided place to another: transposing, slicing, repeating, joining and splitting are all this.</summary>
internal static unsafe class StridedCopy
{
    private const int MaxRank = 16;
    private const int Tile = 8;
    private const long ChunkBytes = 1 << 17;

    /// <summary>Copies elements of the width of <paramref name="type"/>; axes outermost first, both addresses at the first element.</summary>
    public static void Run(Node node, ElementType type, byte* source, byte* destination, ReadOnlySpan<CopyAxis> axes)
    {
        switch (type.BitWidth())
        {
            case 8: Run<byte>(node, source, destination, axes); break;
            case 16: Run<ushort>(node, source, destination, axes); break;
            case 32: Run<uint>(node, source, destination, axes); break;
            case 64: Run<ulong>(node, source, destination, axes); break;
            case 128: Run<UInt128>(node, source, destination, axes); break;
            default: throw node.Fail($"does not take {type.Name()} elements");
        }
    }

    private static void Run<T>(Node node, byte* source, byte* destination, ReadOnlySpan<CopyAxis> axes) where T : unmanaged
    {
        var job = new Job<T> { Source = (T*)source, Destination = (T*)destination };
        foreach (CopyAxis axis in axes)
        {
            if (axis.Length == 0) return;
            if (axis.Length > 1) node.Expect(job.Add(axis), $"copies over more than {MaxRank} dimensions");
        }
        job.Prepare();
        Workers.Run(job.Chunks, ref job);
    }

    private struct Job<T> : IJob where T : unmanaged
    {
        public T* Source;
        public T* Destination;
        private int _rank;
        private fixed long _lengths[MaxRank];
        private fixed long _from[MaxRank];
        private fixed long _to[MaxRank];
        private bool _isTransposed;
        private long _outer;
        private long _outerPerChunk;

        public readonly int Chunks => checked((int)((_outer + _outerPerChunk - 1) / _outerPerChunk));

        /// <summary>Adds an inner dimension, merged with the one around it where one step leads on to the next.</summary>
        public bool Add(CopyAxis axis)
        {
            int last = _rank - 1;
            if (_rank > 0 && _from[last] == axis.From * axis.Length && _to[last] == axis.To * axis.Length)
            {
                (_lengths[last], _from[last], _to[last]) = (_lengths[last] * axis.Length, axis.From, axis.To);
                return true;
            }
            if (_rank == MaxRank) return false;
            (_lengths[_rank], _from[_rank], _to[_rank]) = (axis.Length, axis.From, axis.To);
            _rank++;
            return true;
        }

        public void Prepare()
        {
            if (_rank == 0) Add(new(1, 1, 1));
            _isTransposed = _from[_rank - 1] != 1 && MoveUnitStepBeforeLast();
            int inner = _isTransposed ? 2 : 1;
            long innerBytes = sizeof(T);
            for (int axis = _rank - inner; axis < _rank; axis++) innerBytes *= _lengths[axis];
            _outer = 1;
            for (int axis = 0; axis < _rank - inner; axis++) _outer *= _lengths[axis];
            if (_isTransposed && innerBytes > ChunkBytes && _rank < MaxRank) innerBytes = SplitRows(innerBytes);
            _outerPerChunk = Math.Max(1, ChunkBytes / innerBytes);
        }

        public readonly void Run(int chunk)
        {
            long first = chunk * _outerPerChunk, end = Math.Min(_outer, first + _outerPerChunk);
            int outerRank = _rank - (_isTransposed ? 2 : 1);
            long* position = stackalloc long[MaxRank];
            T* from = Source, to = Destination;
            long rest = first;
            for (int axis = outerRank - 1; axis >= 0; axis--)
            {
                (rest, position[axis]) = Math.DivRem(rest, _lengths[axis]);
                from += position[axis] * _from[axis];
                to += position[axis] * _to[axis];
            }
            for (long at = first; at < end; at++)
            {
                if (_isTransposed) CopyTiles(from, to);
                else CopyRun(from, to);
                for (int axis = outerRank - 1; axis >= 0; axis--)
                {
                    from += _from[axis];
                    to += _to[axis];
                    if (++position[axis] < _lengths[axis]) break;
                    from -= _from[axis] * _lengths[axis];
                    to -= _to[axis] * _lengths[axis];
                    position[axis] = 0;
                }
            }
        }

        /// <summary>Where the source runs along another dimension than the destination, that dimension becomes the last but one.</summary>
        private bool MoveUnitStepBeforeLast()
        {
            int unit = -1;
            for (int axis = 0; axis < _rank - 1; axis++)
            {
                if (_from[axis] == 1) unit = axis;
            }
            if (unit < 0) return false;
            for (int axis = unit; axis < _rank - 2; axis++)
            {
                (_lengths[axis], _lengths[axis + 1]) = (_lengths[axis + 1], _lengths[axis]);
                (_from[axis], _from[axis + 1]) = (_from[axis + 1], _from[axis]);
                (_to[axis], _to[axis + 1]) = (_to[axis + 1], _to[axis]);
            }
            return true;
        }

        /// <summary>Splits the rows of one large transposition into an outer dimension, so that threads share it.</summary>
        private long SplitRows(long innerBytes)
        {
            int row = _rank - 2;
            long length = _lengths[row], part = length;
            while (part % 2 == 0 && part > Tile && innerBytes * part / length > ChunkBytes) part /= 2;
            if (part == length) return innerBytes;
            for (int axis = _rank; axis > row; axis--) (_lengths[axis], _from[axis], _to[axis]) = (_lengths[axis - 1], _from[axis - 1], _to[axis - 1]);
            (_lengths[row], _from[row], _to[row]) = (length / part, _from[row] * part, _to[row] * part);
            _lengths[row + 1] = part;
            _outer *= length / part;
            _rank++;
            return innerBytes * part / length;
        }

        private readonly void CopyRun(T* from, T* to)
        {
            int last = _rank - 1;
            long length = _lengths[last], stepFrom = _from[last], stepTo = _to[last];
            if (stepTo == 1 && stepFrom == 1)
            {
                Buffer.MemoryCopy(from, to, length * sizeof(T), length * sizeof(T));
            }
            else if (stepTo == 1 && stepFrom == 0 && length <= int.MaxValue)
            {
                new Span<T>(to, (int)length).Fill(*from);
            }
            else
            {
                for (long i = 0; i < length; i++) to[i * stepTo] = from[i * stepFrom];
            }
        }

        /// <summary>Transposes in tiles that stay in the first cache.</summary>
        private readonly void CopyTiles(T* from, T* to)
        {
            int row = _rank - 2, column = _rank - 1;
            long rows = _lengths[row], columns = _lengths[column], rowTo = _to[row], columnFrom = _from[column], columnTo = _to[column];
            for (long r = 0; r < rows; r += Tile)
            {
                long rowEnd = Math.Min(rows, r + Tile);
                for (long c = 0; c < columns; c += Tile)
                {
                    long columnEnd = Math.Min(columns, c + Tile);
                    for (long i = r; i < rowEnd; i++)
                    {
                        T* source = from + i, target = to + i * rowTo;
                        for (long j = c; j < columnEnd; j++) target[j * columnTo] = source[j * columnFrom];
                    }
                }
            }
        }
    }
}
