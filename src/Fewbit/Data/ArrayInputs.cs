using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Data;

/// <summary>Matches the arrays of a data set with a model's inputs by name, checks them, and stacks them to batches.</summary>
internal sealed class ArrayInputs
{
    private readonly (ValueInfo Input, string Key, Shape Item)[] _pairs;

    /// <param name="inputs">The model's inputs.</param>
    /// <param name="first">The arrays of the first sample; the others have the same names, types and shapes.</param>
    /// <param name="source">The data set, for messages.</param>
    public ArrayInputs(IReadOnlyList<ValueInfo> inputs, IReadOnlyDictionary<string, Tensor> first, string source)
    {
        _pairs = new (ValueInfo, string, Shape)[inputs.Count];
        for (int i = 0; i < inputs.Count; i++)
        {
            ValueInfo input = inputs[i];
            // One array for one input needs no name.
            string key = inputs.Count == 1 && first.Count == 1 ? first.Keys.Single() : input.Name;
            if (!first.TryGetValue(key, out Tensor? item))
                throw new ArgumentException($"{source}: there is no array for input {input}, found {string.Join(", ", first.Keys)}{Closest.Suggestion(input.Name, first.Keys)}; save one array for each input under its name", nameof(first));
            CheckShape(input, key, item, source);
            if (!TensorConversion.IsAllowed(item.Type, input.Type))
                throw new ArgumentException($"{source}: array '{key}' is {item.Type.Name()}, input {input} needs {input.Type.Name()}; convert it with astype", nameof(first));
            _pairs[i] = (input, key, item.Shape);
        }
    }

    public SampleBatch Batch(DataSet data, int first, int count, int rows, int[]? labels, CancellationToken cancellation)
    {
        Dictionary<string, Tensor> batch = Allocate(rows);
        for (int row = 0; row < rows; row++)
        {
            cancellation.ThrowIfCancellationRequested();
            Write(data, first + Math.Min(row, count - 1), batch, row);
        }
        return new(batch, count, first, labels);
    }

    /// <summary>A tensor of so many rows for each input.</summary>
    public Dictionary<string, Tensor> Allocate(int rows) =>
        _pairs.ToDictionary(pair => pair.Input.Name, pair => Tensor.AllocateUninitialized(pair.Input.Type, new Shape([rows, .. pair.Item.Dims])), StringComparer.Ordinal);

    /// <summary>Writes a sample into a row of the batch.</summary>
    public void Write(DataSet data, int index, IReadOnlyDictionary<string, Tensor> batch, int row)
    {
        IReadOnlyDictionary<string, Tensor> arrays = data.Read(index).Arrays!;
        foreach ((ValueInfo input, string key, Shape item) in _pairs)
        {
            Tensor source = arrays[key];
            if (source.Shape != item) throw new InvalidDataException($"{data.NameOf(index)}: array '{key}' is {source}, the first sample is {item}; samples of a data set have one shape");
            TensorConversion.Copy(source, batch[input.Name].Rows(row, 1));
        }
    }

    private static void CheckShape(ValueInfo input, string key, Tensor item, string source)
    {
        if (input.Shape is not { } shape) return;
        bool fits = shape.Rank == item.Rank + 1;
        for (int axis = 1; fits && axis < shape.Rank; axis++) fits = shape[axis].MayEqual(item.Shape[axis - 1]);
        if (fits) return;
        string found = $"[N{string.Concat(item.Shape.Select(dim => $", {dim}"))}]";
        throw new ArgumentException($"{source}: array '{key}' is {item.Type.Name()} {found}, input {input} expects {shape}{Repair(shape, item.Shape)}", nameof(item));
    }

    /// <summary>A hint where the dimensions are the same in the other order of channels.</summary>
    private static string Repair(SymbolicShape shape, Shape item)
    {
        if (shape.Rank != 4 || item.Rank != 3) return "";
        if (shape[1].MayEqual(item[2]) && shape[2].MayEqual(item[0]) && shape[3].MayEqual(item[1])) return "; move the channels first: x.transpose(0, 3, 1, 2)";
        return shape[3].MayEqual(item[0]) && shape[1].MayEqual(item[1]) && shape[2].MayEqual(item[2]) ? "; move the channels last: x.transpose(0, 2, 3, 1)" : "";
    }
}
