using Fewbit.Data;
using Fewbit.Data.Images;

namespace Fewbit.Tests.Data.Training;

/// <summary>Pictures of one grey: the sample's number, or the same for all.</summary>
internal sealed class Greys(int count, int? grey = null, int damaged = -1, int wide = -1) : DataSet
{
    public override string Description => "greys";
    public override int Count => count;
    public override IReadOnlyList<int> Labels { get; } = [.. Enumerable.Range(0, count)];

    public override string NameOf(int index) => $"grey {index}";

    public override Sample Read(int index)
    {
        if (index == damaged) throw new InvalidDataException($"{NameOf(index)}: is damaged");
        (int width, byte value) = (index == wide ? 5 : 4, (byte)(grey ?? index));
        return Sample.Of(new Image(width, 4, 3, [.. Enumerable.Repeat(value, width * 4 * 3)]));
    }
}

/// <summary>The same picture of numbers 10 y + x + 1 again and again.</summary>
internal sealed class Gradients(int count) : DataSet
{
    public override string Description => "gradients";
    public override int Count => count;

    public override string NameOf(int index) => $"gradient {index}";

    public override Sample Read(int index) => Sample.Of(new Image(4, 4, 3, [.. Enumerable.Range(0, 48).Select(i => (byte)(10 * (i / 12) + i / 3 % 4 + 1))]));
}
