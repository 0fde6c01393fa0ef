using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Values of all samples at the cuts, each held until the last unit that reads it is done. Beyond a budget they lie in mapped temporary files.</summary>
/// <param name="budgetBytes">Memory that may be used.</param>
/// <param name="folder">Where files go; null for the system's temporary folder.</param>
internal sealed class FeatureCache(long budgetBytes, string? folder)
{
    private readonly Dictionary<(Value Value, bool IsTeacher), Tensor> _features = [];
    private long _bytes;

    /// <summary>Bytes held in memory now.</summary>
    public long MemoryBytes => _bytes;

    /// <summary>Tensors that lie in files now.</summary>
    public int Spilled { get; private set; }

    /// <summary>The values of all samples in the float network (teacher) or in the network whose earlier units are quantized.</summary>
    public Tensor this[Value value, bool isTeacher] => _features.GetValueOrDefault((value, isTeacher))
        ?? throw new InvalidOperationException($"Bug in the feature cache: {value} of the {(isTeacher ? "teacher" : "student")} is not there");

    /// <summary>Whether a value is held.</summary>
    public bool Holds(Value value, bool isTeacher) => _features.ContainsKey((value, isTeacher));

    /// <summary>Room for the values of all samples.</summary>
    public Tensor Add(Value value, bool isTeacher, ElementType type, Shape shape)
    {
        long bytes = type.ByteCount(shape.ElementCount);
        bool fits = _bytes + bytes <= budgetBytes;
        Tensor tensor = fits ? Tensor.AllocateUninitialized(type, shape) : new(type, shape, new ScratchFileOwner(folder ?? Path.GetTempPath(), Math.Max(1, bytes)));
        if (fits) _bytes += bytes;
        else Spilled++;
        _features[(value, isTeacher)] = tensor;
        return tensor;
    }

    /// <summary>Holds a tensor that the caller owns.</summary>
    public void Share(Value value, bool isTeacher, Tensor tensor) => _features[(value, isTeacher)] = tensor;

    /// <summary>Forgets the values that none of the units reads.</summary>
    public void KeepFor(IEnumerable<ReconstructionUnit> units)
    {
        HashSet<Value> needed = [.. units.SelectMany(unit => unit.Inputs)];
        foreach (var key in _features.Keys.Where(key => !needed.Contains(key.Value)).ToArray()) Remove(key);
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        foreach (var key in _features.Keys.ToArray()) Remove(key);
    }

    private void Remove((Value, bool) key)
    {
        Tensor tensor = _features[key];
        _features.Remove(key);
        if (key.Item1.Producer is null) return;
        if (tensor.Owner is ScratchFileOwner file)
        {
            Spilled--;
            file.Dispose();
        }
        else _bytes -= tensor.ByteCount;
    }
}
